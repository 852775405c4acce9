using System.Collections.Immutable;
using System.Net.Sockets;

namespace Ztunnel.InPod.Redirection;

/// <summary>
/// The rules of istio-integration 2.2 for one address family. Order is meaning: the first match decides, so each rule may rely on those above it.
/// </summary>
internal static class IptablesRules
{
    private const string NotOurs = "-m mark ! --mark " + RedirectionMarks.OwnMarkText;

    public static ImmutableArray<IptablesTable> Tables(RedirectionOptions options, AddressFamily family)
    {
        FamilyAddresses addresses = FamilyAddresses.Of(options, family);
        ImmutableArray<IptablesTable> always =
        [
            new("mangle", [.. ManglePrerouting(options, addresses)], [new($"-m connmark --mark {RedirectionMarks.LocalDeliveryMarkText} -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff", RulePurpose.AnswerRouting)]),
            new("nat", [.. NatPrerouting(options, addresses)], [.. NatOutput(options, addresses)]),
        ];
        return options.DnsCapture ? always.Add(Raw()) : always;
    }

    /// <summary>
    /// Remembers on the connection that we opened it under the client's address, so that the application's answers are marked and routed back to us. With TPROXY, inbound capture follows:
    /// what an established connection sends belongs to its socket already, and must not be handed to the listener's.
    /// </summary>
    private static IEnumerable<RedirectionRule> ManglePrerouting(RedirectionOptions options, FamilyAddresses addresses)
    {
        const string Deliver = "--tproxy-mark " + RedirectionMarks.LocalDeliveryMarkText;
        yield return new($"-m mark --mark {RedirectionMarks.OwnMarkText} -j CONNMARK --set-xmark {RedirectionMarks.LocalDeliveryMarkText}", RulePurpose.OwnConnections);
        if (options.Inbound != InboundCapture.Tproxy)
            yield break;
        foreach (string name in options.VirtualInterfaces)
            yield return new($"-i {name} -p tcp -j TPROXY --on-port {RedirectionMarks.OutboundPort} --on-ip {addresses.Any} {Deliver}", RulePurpose.VirtualInterface(name));
        if (options.IngressMode)
            yield break;
        yield return new($"-s {addresses.Probe}/{addresses.HostBits} -p tcp -j RETURN", RulePurpose.ProbeIn);
        yield return new("-i lo -p tcp -j RETURN", RulePurpose.InsideThePod);
        yield return new("-p tcp -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN", RulePurpose.Established);
        yield return new($"-p tcp -m tcp ! --dport {RedirectionMarks.HbonePort} {NotOurs} -j TPROXY --on-port {RedirectionMarks.InboundPassthroughPort} --on-ip {addresses.Any} {Deliver}", RulePurpose.Inbound);
    }

    private static IEnumerable<RedirectionRule> NatPrerouting(RedirectionOptions options, FamilyAddresses addresses)
    {
        if (options.Inbound != InboundCapture.Redirect)
            yield break;
        foreach (string name in options.VirtualInterfaces)
        {
            yield return new($"-i {name} -p tcp -j REDIRECT --to-ports {RedirectionMarks.OutboundPort}", RulePurpose.VirtualInterface(name));
            yield return new($"-i {name} -p tcp -j RETURN", RulePurpose.VirtualInterface(name));
        }

        if (options.IngressMode)
            yield break;
        yield return new($"-s {addresses.Probe}/{addresses.HostBits} -p tcp -j ACCEPT", RulePurpose.ProbeIn);

        // 15008 keeps its address: our HBONE listener is reached directly and reads its destination from the socket.
        yield return new(
            $"! -d {addresses.Loopback}/{addresses.HostBits} -p tcp -m tcp ! --dport {RedirectionMarks.HbonePort} {NotOurs} -j REDIRECT --to-ports {RedirectionMarks.InboundPassthroughPort}",
            RulePurpose.Inbound);
    }

    private static IEnumerable<RedirectionRule> NatOutput(RedirectionOptions options, FamilyAddresses addresses)
    {
        string loopback = $"{addresses.Loopback}/{addresses.HostBits}";
        yield return new($"-d {addresses.Probe}/{addresses.HostBits} -p tcp -j ACCEPT", RulePurpose.ProbeOut);
        if (options.DnsCapture)
        {
            // UDP is spared by interface, TCP by address: a resolver on 127.0.0.53 is captured over TCP only.
            yield return new($"! -o lo -p udp {NotOurs} -m udp --dport 53 -j REDIRECT --to-ports {RedirectionMarks.DnsProxyPort}", RulePurpose.DnsOverUdp);
            yield return new($"! -d {loopback} -p tcp -m tcp --dport 53 {NotOurs} -j REDIRECT --to-ports {RedirectionMarks.DnsProxyPort}", RulePurpose.DnsOverTcp);
        }

        yield return new($"-p tcp -m mark --mark {RedirectionMarks.LocalDeliveryMarkText} -j ACCEPT", RulePurpose.Answers);

        // The application calling its own address stays inside the pod.
        yield return new($"! -d {loopback} -o lo -j ACCEPT", RulePurpose.InsideThePod);
        yield return new($"! -d {loopback} -p tcp {NotOurs} -j REDIRECT --to-ports {RedirectionMarks.OutboundPort}", RulePurpose.Outbound);
    }

    private static IptablesTable Raw() => new(
        "raw",
        [new($"-p udp -m mark ! --mark {RedirectionMarks.OwnMarkText} -m udp --sport 53 -j CT --zone {RedirectionMarks.DnsZone}", RulePurpose.DnsZone)],
        [new($"-p udp -m mark --mark {RedirectionMarks.OwnMarkText} -m udp --dport 53 -j CT --zone {RedirectionMarks.DnsZone}", RulePurpose.DnsZone)]);
}
