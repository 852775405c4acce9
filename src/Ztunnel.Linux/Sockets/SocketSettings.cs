namespace Ztunnel.Linux.Sockets;

/// <summary>TCP keepalive of data-path 1.3: KEEPALIVE_ENABLED, KEEPALIVE_TIME, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES.</summary>
public sealed record KeepAliveSettings
{
    public bool Enabled { get; init; } = true;

    public TimeSpan Time { get; init; } = TimeSpan.FromSeconds(180);

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(180);

    public int Retries { get; init; } = 9;
}

/// <summary>How the sockets of one pod, or of our own namespace, are made (data-path 1.3, 1.4).</summary>
public sealed record SocketSettings
{
    /// <summary>SO_MARK of every socket; the pod's packet filter lets marked packets pass. PACKET_MARK, in shared mode 1337 (0x539) when unset.</summary>
    public uint? Mark { get; init; }

    /// <summary>Two processes may listen on the same port, which an upgrade needs. INPOD_PORT_REUSE.</summary>
    public bool ReusePort { get; init; }

    public KeepAliveSettings KeepAlive { get; init; } = new();

    /// <summary>TCP_USER_TIMEOUT, when USER_TIMEOUT_ENABLED.</summary>
    public TimeSpan? UserTimeout { get; init; }

    /// <summary>ENABLE_ORIG_SRC: null tries IP_TRANSPARENT and remembers the answer, true insists on it, false does not try.</summary>
    public bool? OriginalSource { get; init; }

    /// <summary>IPV6_ENABLED: whether wildcard listeners are dual stack.</summary>
    public bool IPv6 { get; init; } = true;

    /// <summary>TCP congestion control by name; null leaves the namespace's default.</summary>
    public string? CongestionControl { get; init; }
}
