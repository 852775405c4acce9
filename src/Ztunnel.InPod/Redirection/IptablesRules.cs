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
        ImmutableArray<IptablesTable> always = [Mangle(), Nat(options, family)];
        return options.DnsCapture ? always.Add(Raw()) : always;
    }

    /// <summary>Remembers on the connection that we opened it under the client's address, and marks the application's answers so that they are routed back to us.</summary>
    private static IptablesTable Mangle() => new(
        "mangle",
        [$"-m mark --mark {RedirectionMarks.OwnMarkText} -j CONNMARK --set-xmark {RedirectionMarks.LocalDeliveryMarkText}"],
        [$"-m connmark --mark {RedirectionMarks.LocalDeliveryMarkText} -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff"]);

    private static IptablesTable Nat(RedirectionOptions options, AddressFamily family)
    {
        bool isIPv4 = family == AddressFamily.InterNetwork;
        string loopback = isIPv4 ? "127.0.0.1/32" : "::1/128";
        string probe = isIPv4 ? $"{options.ProbeAddressIPv4}/32" : $"{options.ProbeAddressIPv6}/128";
        return new IptablesTable("nat", [.. NatPrerouting(options, loopback, probe)], [.. NatOutput(options, loopback, probe)]);
    }

    private static IEnumerable<string> NatPrerouting(RedirectionOptions options, string loopback, string probe)
    {
        foreach (string name in options.VirtualInterfaces)
        {
            yield return $"-i {name} -p tcp -j REDIRECT --to-ports {RedirectionMarks.OutboundPort}";
            yield return $"-i {name} -p tcp -j RETURN";
        }

        if (options.IngressMode)
        {
            yield break;
        }

        yield return $"-s {probe} -p tcp -j ACCEPT";

        // 15008 keeps its address: our HBONE listener is reached directly and reads its destination from the socket.
        yield return $"! -d {loopback} -p tcp -m tcp ! --dport {RedirectionMarks.HbonePort} {NotOurs} -j REDIRECT --to-ports {RedirectionMarks.InboundPassthroughPort}";
    }

    private static IEnumerable<string> NatOutput(RedirectionOptions options, string loopback, string probe)
    {
        yield return $"-d {probe} -p tcp -j ACCEPT";
        if (options.DnsCapture)
        {
            // UDP is spared by interface, TCP by address: a resolver on 127.0.0.53 is captured over TCP only.
            yield return $"! -o lo -p udp {NotOurs} -m udp --dport 53 -j REDIRECT --to-ports {RedirectionMarks.DnsProxyPort}";
            yield return $"! -d {loopback} -p tcp -m tcp --dport 53 {NotOurs} -j REDIRECT --to-ports {RedirectionMarks.DnsProxyPort}";
        }

        yield return $"-p tcp -m mark --mark {RedirectionMarks.LocalDeliveryMarkText} -j ACCEPT";

        // The application calling its own address stays inside the pod.
        yield return $"! -d {loopback} -o lo -j ACCEPT";
        yield return $"! -d {loopback} -p tcp {NotOurs} -j REDIRECT --to-ports {RedirectionMarks.OutboundPort}";
    }

    private static IptablesTable Raw() => new(
        "raw",
        [$"-p udp -m mark ! --mark {RedirectionMarks.OwnMarkText} -m udp --sport 53 -j CT --zone {RedirectionMarks.DnsZone}"],
        [$"-p udp -m mark --mark {RedirectionMarks.OwnMarkText} -m udp --dport 53 -j CT --zone {RedirectionMarks.DnsZone}"]);
}
