using System.Net;

namespace Ztunnel.Http;

/// <summary>What "wildcard" and "localhost" mean on this machine (control-path 1.4).</summary>
public static class ListenAddresses
{
    private const string LoopbackIPv6Switch = "/proc/sys/net/ipv6/conf/lo/disable_ipv6";

    /// <summary>Both families on one socket, unless IPv6 is turned off.</summary>
    public static IReadOnlyList<IPEndPoint> Wildcard(int port, bool ipv6) => [new IPEndPoint(ipv6 ? IPAddress.IPv6Any : IPAddress.Any, port)];

    /// <summary>127.0.0.1, and ::1 where the loopback interface has it.</summary>
    public static IReadOnlyList<IPEndPoint> Loopback(int port, bool ipv6) =>
        ipv6 && LoopbackHasIPv6() ? [new IPEndPoint(IPAddress.Loopback, port), new IPEndPoint(IPAddress.IPv6Loopback, port)] : [new IPEndPoint(IPAddress.Loopback, port)];

    private static bool LoopbackHasIPv6() => File.Exists(LoopbackIPv6Switch) && !File.ReadAllText(LoopbackIPv6Switch).Contains('1', StringComparison.Ordinal);
}
