using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;

namespace Ztunnel.InPod.Redirection;

/// <summary>Which packet filter carries the rules.</summary>
public enum RedirectionBackend
{
    /// <summary>`iptables-restore` and `ip6tables-restore`: what the Istio node agent uses by default.</summary>
    Iptables,

    /// <summary>One `nft` script of family inet.</summary>
    Nftables,
}

/// <summary>How connections that come in reach the proxy. What the application opens is redirected in either case.</summary>
public enum InboundCapture
{
    /// <summary>By address translation: what the Istio node agent does.</summary>
    Redirect,

    /// <summary>By handing the packet to the proxy's socket as it is: the destination is never rewritten, and connection tracking does not decide.</summary>
    Tproxy,
}

/// <summary>What is captured in a pod's namespace, and by which means (istio-integration 2.2 to 2.5).</summary>
public sealed record RedirectionOptions
{
    public RedirectionBackend Backend { get; init; } = RedirectionBackend.Iptables;

    public InboundCapture Inbound { get; init; } = InboundCapture.Redirect;

    /// <summary>`ambient.istio.io/bypass-inbound-capture`: plaintext from outside goes straight to the application; HBONE and outbound stay as they are.</summary>
    public bool IngressMode { get; init; }

    /// <summary>Port 53 goes to the DNS proxy.</summary>
    public bool DnsCapture { get; init; } = true;

    /// <summary>Rules for IPv6 addresses too.</summary>
    public bool IPv6 { get; init; } = true;

    /// <summary>Source of the kubelet's probes after the host has translated it; never captured.</summary>
    public IPAddress ProbeAddressIPv4 { get; init; } = IPAddress.Parse("169.254.7.127");

    /// <summary>The same for IPv6.</summary>
    public IPAddress ProbeAddressIPv6 { get; init; } = IPAddress.Parse("fd16:9254:7127:1337:ffff:ffff:ffff:ffff");

    /// <summary>Interfaces of guests inside the pod (KubeVirt, Docker in Docker): what arrives there leaves the pod, hence is outbound.</summary>
    public ImmutableArray<string> VirtualInterfaces { get; init; } = [];

    /// <summary>Whether the same rules come of them.</summary>
    public bool IsSameAs(RedirectionOptions other) => VirtualInterfaces.SequenceEqual(other.VirtualInterfaces) && this with { VirtualInterfaces = other.VirtualInterfaces } == other;

    /// <summary>Every mistake in these options, in words a user can act on; empty when there is none.</summary>
    public IReadOnlyList<string> FindMistakes()
    {
        var mistakes = new List<string>();
        if (ProbeAddressIPv4.AddressFamily != AddressFamily.InterNetwork)
        {
            mistakes.Add($"probe address {ProbeAddressIPv4} is not an IPv4 address");
        }

        if (ProbeAddressIPv6.AddressFamily != AddressFamily.InterNetworkV6)
        {
            mistakes.Add($"IPv6 probe address {ProbeAddressIPv6} is not an IPv6 address");
        }

        mistakes.AddRange(VirtualInterfaces.Where(static name => !InterfaceName.IsValid(name)).Select(static name => $"virtual interface \"{name}\" is not an interface name: {InterfaceName.Expected}"));
        return mistakes;
    }
}
