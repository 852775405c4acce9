using System.Collections.Immutable;
using System.Text;

namespace Ztunnel.InPod.Redirection;

/// <summary>
/// The same rules for `nft -f`, as three tables of family inet (istio-integration 2.4). One script is one transaction.
/// Rules without an address hold for both families, so DNS over UDP is captured over IPv6 even where IPv6 is otherwise left alone; peers know this difference.
/// </summary>
internal static class NftablesScript
{
    private const string Nat = "istio-ambient-nat";
    private const string Mangle = "istio-ambient-mangle";
    private const string Raw = "istio-ambient-raw";
    private const string Ours = "meta mark & 0x00000fff == 0x00000539";
    private const string NotOurs = "meta mark & 0x00000fff != 0x00000539";
    private const string Deliver = "meta mark set meta mark & 0xfffff000 | 0x00000111 accept";

    /// <summary>Every table that may be ours, whatever the options were when it was made.</summary>
    public static ImmutableArray<string> AllTables { get; } = [Nat, Mangle, Raw];

    /// <summary>The tables that these options ask for.</summary>
    public static ImmutableArray<NftablesTable> Tables(RedirectionOptions options)
    {
        ImmutableArray<NftablesTable> always =
        [
            new(Nat, new("nat", "prerouting", -100, [.. NatPrerouting(options)]), new("nat", "output", -100, [.. NatOutput(options)])),

            // Type route: a mark changed here has the packet routed anew.
            new(Mangle, new("filter", "prerouting", -150, [.. ManglePrerouting(options)]), new("route", "output", -150, [.. MangleOutput()])),
        ];
        return options.DnsCapture
            ? always.Add(new(Raw, new("filter", "prerouting", -300, [.. RawPrerouting()]), new("filter", "output", -300, [.. RawOutput()])))
            : always;
    }

    /// <summary>Replaces whatever was there of ours.</summary>
    public static string Install(RedirectionOptions options)
    {
        var script = new StringBuilder(Remove());
        foreach (NftablesTable table in Tables(options))
        {
            AppendTable(script, table);
        }

        return script.ToString();
    }

    /// <summary>Removes our tables. Adding before deleting: deleting what is not there is an error that would undo the whole script.</summary>
    public static string Remove()
    {
        var script = new StringBuilder();
        foreach (string table in AllTables)
        {
            script.Append($"add table inet {table}\ndelete table inet {table}\n");
        }

        return script.ToString();
    }

    private static IEnumerable<RedirectionRule> NatPrerouting(RedirectionOptions options)
    {
        if (options.Inbound != InboundCapture.Redirect)
            yield break;
        foreach (string name in options.VirtualInterfaces)
        {
            yield return new($"iifname \"{name}\" meta l4proto tcp counter redirect to :{RedirectionMarks.OutboundPort}", RulePurpose.VirtualInterface(name));
            yield return new($"iifname \"{name}\" meta l4proto tcp counter return", RulePurpose.VirtualInterface(name));
        }

        if (options.IngressMode)
            yield break;
        foreach (FamilyAddresses family in FamilyAddresses.All(options))
            yield return new($"{family.Word} saddr {family.Probe} meta l4proto tcp counter accept", RulePurpose.ProbeIn);
        foreach (FamilyAddresses family in FamilyAddresses.All(options))
            yield return new($"{family.Word} daddr != {family.Loopback} tcp dport != {RedirectionMarks.HbonePort} {NotOurs} counter redirect to :{RedirectionMarks.InboundPassthroughPort}", RulePurpose.Inbound);
    }

    private static IEnumerable<RedirectionRule> NatOutput(RedirectionOptions options)
    {
        foreach (FamilyAddresses family in FamilyAddresses.All(options))
            yield return new($"{family.Word} daddr {family.Probe} meta l4proto tcp counter accept", RulePurpose.ProbeOut);
        if (options.DnsCapture)
        {
            yield return new($"oifname != \"lo\" {NotOurs} udp dport 53 counter redirect to :{RedirectionMarks.DnsProxyPort}", RulePurpose.DnsOverUdp);
            foreach (FamilyAddresses family in FamilyAddresses.All(options))
                yield return new($"{family.Word} daddr != {family.Loopback} tcp dport 53 {NotOurs} counter redirect to :{RedirectionMarks.DnsProxyPort}", RulePurpose.DnsOverTcp);
        }

        yield return new("meta l4proto tcp meta mark & 0x00000fff == 0x00000111 counter accept", RulePurpose.Answers);
        foreach (FamilyAddresses family in FamilyAddresses.All(options))
            yield return new($"{family.Word} daddr != {family.Loopback} oifname \"lo\" counter accept", RulePurpose.InsideThePod);
        foreach (FamilyAddresses family in FamilyAddresses.All(options))
            yield return new($"{family.Word} daddr != {family.Loopback} meta l4proto tcp {NotOurs} counter redirect to :{RedirectionMarks.OutboundPort}", RulePurpose.Outbound);
    }

    /// <summary>As in <see cref="IptablesRules"/>: connections of our own first; with TPROXY, what comes in goes to our sockets as it is.</summary>
    private static IEnumerable<RedirectionRule> ManglePrerouting(RedirectionOptions options)
    {
        yield return new($"{Ours} counter ct mark set ct mark & 0xfffff000 | 0x00000111", RulePurpose.OwnConnections);
        if (options.Inbound != InboundCapture.Tproxy)
            yield break;
        foreach (string name in options.VirtualInterfaces)
            yield return new($"iifname \"{name}\" meta l4proto tcp counter tproxy to :{RedirectionMarks.OutboundPort} {Deliver}", RulePurpose.VirtualInterface(name));
        if (options.IngressMode)
            yield break;
        foreach (FamilyAddresses family in FamilyAddresses.All(options))
            yield return new($"{family.Word} saddr {family.Probe} meta l4proto tcp counter return", RulePurpose.ProbeIn);
        yield return new("iifname \"lo\" meta l4proto tcp counter return", RulePurpose.InsideThePod);
        yield return new("meta l4proto tcp ct state established,related counter return", RulePurpose.Established);
        foreach (FamilyAddresses family in FamilyAddresses.All(options))
            yield return new($"{family.Word} daddr != {family.Loopback} tcp dport != {RedirectionMarks.HbonePort} {NotOurs} counter tproxy {family.Word} to :{RedirectionMarks.InboundPassthroughPort} {Deliver}", RulePurpose.Inbound);
    }

    private static IEnumerable<RedirectionRule> MangleOutput() => [new("ct mark & 0x00000fff == 0x00000111 counter meta mark set ct mark", RulePurpose.AnswerRouting)];

    private static IEnumerable<RedirectionRule> RawPrerouting() => [new($"{NotOurs} udp sport 53 counter ct zone set {RedirectionMarks.DnsZone}", RulePurpose.DnsZone)];

    private static IEnumerable<RedirectionRule> RawOutput() => [new($"{Ours} udp dport 53 counter ct zone set {RedirectionMarks.DnsZone}", RulePurpose.DnsZone)];

    private static void AppendTable(StringBuilder script, NftablesTable table)
    {
        script.Append($"table inet {table.Name} {{\n");
        foreach (NftablesChain chain in table.Chains)
            AppendChain(script, chain.OwnName, chain.Rules.Select(static rule => rule.Text));
        foreach (NftablesChain chain in table.Chains)
            AppendChain(script, chain.Hook, [chain.Declaration, chain.Jump]);
        script.Append("}\n");
    }

    private static void AppendChain(StringBuilder script, string name, IEnumerable<string> lines)
    {
        script.Append($"  chain {name} {{\n");
        foreach (string line in lines)
        {
            script.Append($"    {line}\n");
        }

        script.Append("  }\n");
    }
}

/// <summary>One of our tables with its two hooks.</summary>
internal sealed record NftablesTable(string Name, NftablesChain Prerouting, NftablesChain Output)
{
    public IEnumerable<NftablesChain> Chains => [Prerouting, Output];
}

/// <summary>A base chain that does nothing but jump to ours, and the rules of that.</summary>
internal sealed record NftablesChain(string Type, string Hook, int Priority, ImmutableArray<RedirectionRule> Rules)
{
    public string OwnName => $"istio-{Hook}";

    public string Declaration => $"type {Type} hook {Hook} priority {Priority}; policy accept;";

    public string Jump => $"jump {OwnName}";
}
