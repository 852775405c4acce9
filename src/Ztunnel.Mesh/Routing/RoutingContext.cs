namespace Ztunnel.Mesh.Routing;

/// <summary>Own settings that routing depends on.</summary>
/// <remarks>Network is NETWORK, the network this node is in; IPv6Enabled is IPV6_ENABLED, whether hostnames may resolve to IPv6.</remarks>
public sealed record RoutingContext(string Network = "", bool IPv6Enabled = true)
{
    /// <summary>The socks5 listener is on, so that its port must not be reached through us either.</summary>
    public bool Socks5Enabled { get; init; }

    /// <summary>Our own listeners: traffic that ends there would come back to us for ever (data-path 1.1).</summary>
    public bool IsIllegalPort(int port) => port is 15001 or 15006 or 15008 || (port == 15080 && Socks5Enabled);
}
