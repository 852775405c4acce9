using Ztunnel.Mesh.Authorization;

namespace Ztunnel.Proxy;

/// <summary>What the data path can be told (data-path, appendix A).</summary>
public sealed record ProxySettings
{
    /// <summary>The network this node belongs to. NETWORK, default empty.</summary>
    public string Network { get; init; } = "";

    /// <summary>Whether listeners and connections may use IPv6. IPV6_ENABLED, default true.</summary>
    public bool IPv6Enabled { get; init; } = true;

    /// <summary>Whether CONNECT answers carry the local workload's baggage and the baggage of requests is read. ENABLE_RESPONSE_BAGGAGE, default true.</summary>
    public bool ResponseBaggage { get; init; } = true;

    /// <summary>Whether application tunnels with PROXY protocol connect over loopback. LOCALHOST_APP_TUNNEL, default true.</summary>
    public bool LocalhostAppTunnel { get; init; } = true;

    /// <summary>Streams a tunnel carries at most. POOL_MAX_STREAMS_PER_CONNECTION, default 100.</summary>
    public int PoolMaxStreams { get; init; } = 100;

    /// <summary>How long a tunnel without streams stays open. POOL_UNUSED_RELEASE_TIMEOUT, default 5 min.</summary>
    public TimeSpan PoolUnusedRelease { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How old a tunnel gets before new streams go to another one; those it has may go on. ZTUNNEL_POOL_MAX_AGE, default 1 h.</summary>
    public TimeSpan PoolMaxAge { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long a connection may stay open without a byte either way. ZTUNNEL_IDLE_TIMEOUT, default none: a silent peer is not a dead one, and keepalives tell which.</summary>
    public TimeSpan? IdleLimit { get; init; }

    /// <summary>The same for one whose one side has ended already. ZTUNNEL_HALF_CLOSED_TIMEOUT, default 24 h.</summary>
    public TimeSpan? HalfClosedLimit { get; init; } = TimeSpan.FromHours(24);

    /// <summary>HTTP2_STREAM_WINDOW_SIZE, default 4 MiB.</summary>
    public int Http2StreamWindowBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>HTTP2_CONNECTION_WINDOW_SIZE, default 16 MiB.</summary>
    public int Http2ConnectionWindowBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>HTTP2_FRAME_SIZE, default 1 MiB.</summary>
    public int Http2FrameBytes { get; init; } = 1024 * 1024;

    /// <summary>
    /// What all peers together may send ahead because stream windows grew beyond their initial size: the bound of what blocked applications can make this process hold (design D5).
    /// </summary>
    public long WindowGrowthBytes { get; init; } = 256L * 1024 * 1024;

    /// <summary>How open connections may finish once a drain begins. Default 5 s.</summary>
    public TimeSpan TerminationDeadline { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Limits of each step of setting a connection up.</summary>
    public SetUpLimits SetUp { get; init; } = new();

    /// <summary>Whether what policies decide is logged at info instead of debug. AUTHZ_POLICY_INFO_LOGGING, default false.</summary>
    public bool PolicyDecisionsAtInfo { get; init; }

    /// <summary>How policies are read.</summary>
    public PolicySettings Policies { get; init; } = new();
}

/// <summary>Time limits while a connection is set up. Upstream has one for the TCP connect only (data-path 12.2); a silent peer must not hold anything for ever.</summary>
public sealed record SetUpLimits
{
    /// <summary>A TCP connect, as everywhere in the mesh (data-path 1.7).</summary>
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A TLS handshake, in either role.</summary>
    public TimeSpan Handshake { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The answer to a CONNECT. The peer's own connect to its application may take 10 s.</summary>
    public TimeSpan Response { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>All attempts of one connection together.</summary>
    public TimeSpan Total { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a connection waits for the control plane to deliver the pod it belongs to (data-path 2.1).</summary>
    public TimeSpan LocalWorkload { get; init; } = TimeSpan.FromSeconds(5);
}
