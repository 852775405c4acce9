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

    /// <summary>Every table that may be ours, whatever the options were when it was made.</summary>
    public static ImmutableArray<string> AllTables { get; } = [Nat, Mangle, Raw];

    /// <summary>Replaces whatever was there of ours.</summary>
    public static string Install(RedirectionOptions options)
    {
        var script = new StringBuilder(Remove());
        AppendTable(script, Nat, new("nat", "prerouting", -100), new("nat", "output", -100), NatPrerouting(options), NatOutput(options));

        // Type route: a mark changed here has the packet routed anew.
        AppendTable(script, Mangle, new("filter", "prerouting", -150), new("route", "output", -150), ManglePrerouting(), MangleOutput());
        if (options.DnsCapture)
        {
            AppendTable(script, Raw, new("filter", "prerouting", -300), new("filter", "output", -300), RawPrerouting(), RawOutput());
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

    private static IEnumerable<string> NatPrerouting(RedirectionOptions options)
    {
        foreach (string name in options.VirtualInterfaces)
        {
            yield return $"iifname \"{name}\" meta l4proto tcp counter redirect to :{RedirectionMarks.OutboundPort}";
            yield return $"iifname \"{name}\" meta l4proto tcp counter return";
        }

        if (options.IngressMode)
        {
            yield break;
        }

        foreach (Family family in Families(options))
        {
            yield return $"{family.Word} saddr {family.Probe} meta l4proto tcp counter accept";
        }

        foreach (Family family in Families(options))
        {
            yield return $"{family.Word} daddr != {family.Loopback} tcp dport != {RedirectionMarks.HbonePort} {NotOurs} counter redirect to :{RedirectionMarks.InboundPassthroughPort}";
        }
    }

    private static IEnumerable<string> NatOutput(RedirectionOptions options)
    {
        foreach (Family family in Families(options))
        {
            yield return $"{family.Word} daddr {family.Probe} meta l4proto tcp counter accept";
        }

        if (options.DnsCapture)
        {
            yield return $"oifname != \"lo\" {NotOurs} udp dport 53 counter redirect to :{RedirectionMarks.DnsProxyPort}";
            foreach (Family family in Families(options))
            {
                yield return $"{family.Word} daddr != {family.Loopback} tcp dport 53 {NotOurs} counter redirect to :{RedirectionMarks.DnsProxyPort}";
            }
        }

        yield return "meta l4proto tcp meta mark & 0x00000fff == 0x00000111 counter accept";
        foreach (Family family in Families(options))
        {
            yield return $"{family.Word} daddr != {family.Loopback} oifname \"lo\" counter accept";
        }

        foreach (Family family in Families(options))
        {
            yield return $"{family.Word} daddr != {family.Loopback} meta l4proto tcp {NotOurs} counter redirect to :{RedirectionMarks.OutboundPort}";
        }
    }

    private static IEnumerable<string> ManglePrerouting() => [$"{Ours} counter ct mark set ct mark & 0xfffff000 | 0x00000111"];

    private static IEnumerable<string> MangleOutput() => ["ct mark & 0x00000fff == 0x00000111 counter meta mark set ct mark"];

    private static IEnumerable<string> RawPrerouting() => [$"{NotOurs} udp sport 53 counter ct zone set {RedirectionMarks.DnsZone}"];

    private static IEnumerable<string> RawOutput() => [$"{Ours} udp dport 53 counter ct zone set {RedirectionMarks.DnsZone}"];

    private static void AppendTable(StringBuilder script, string name, BaseChain prerouting, BaseChain output, IEnumerable<string> preroutingRules, IEnumerable<string> outputRules)
    {
        script.Append($"table inet {name} {{\n");
        AppendChain(script, "istio-prerouting", preroutingRules);
        AppendChain(script, "istio-output", outputRules);
        AppendChain(script, "prerouting", [prerouting.Declaration, "jump istio-prerouting"]);
        AppendChain(script, "output", [output.Declaration, "jump istio-output"]);
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

    private static IEnumerable<Family> Families(RedirectionOptions options)
    {
        yield return new Family("ip", "127.0.0.1", options.ProbeAddressIPv4.ToString());
        if (options.IPv6)
        {
            yield return new Family("ip6", "::1", options.ProbeAddressIPv6.ToString());
        }
    }

    private sealed record Family(string Word, string Loopback, string Probe);

    private sealed record BaseChain(string Type, string Hook, int Priority)
    {
        public string Declaration => $"type {Type} hook {Hook} priority {Priority}; policy accept;";
    }
}
