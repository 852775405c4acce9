using System.Net.Sockets;

namespace Ztunnel.InPod.Redirection;

/// <summary>The addresses that rules of one family name.</summary>
internal sealed record FamilyAddresses(string Word, string Any, string Loopback, string Probe, int HostBits)
{
    public static FamilyAddresses Of(RedirectionOptions options, AddressFamily family) => family == AddressFamily.InterNetwork
        ? new("ip", "0.0.0.0", "127.0.0.1", options.ProbeAddressIPv4.ToString(), 32)
        : new("ip6", "::", "::1", options.ProbeAddressIPv6.ToString(), 128);

    /// <summary>The families that the rules are for.</summary>
    public static IEnumerable<FamilyAddresses> All(RedirectionOptions options)
    {
        yield return Of(options, AddressFamily.InterNetwork);
        if (options.IPv6)
            yield return Of(options, AddressFamily.InterNetworkV6);
    }
}
