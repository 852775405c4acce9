namespace Ztunnel.Http2;

/// <summary>What one connection announces and how it keeps watch (data-path 5.1). Immutable, shared by all connections of one role.</summary>
public sealed record Http2Settings
{
    /// <summary>
    /// SETTINGS_INITIAL_WINDOW_SIZE. Small windows keep other streams' latency low (1-byte echo beside bulk: 1 ms with 256 KiB, 10 ms with 4 MiB); a stream that is held
    /// back by its window, while its receiver keeps up, is raised towards <see cref="MaxStreamWindowBytes"/>.
    /// </summary>
    public int InitialStreamWindowBytes { get; init; } = 256 * 1024;

    /// <summary>HTTP2_STREAM_WINDOW_SIZE, default 4 MiB.</summary>
    public int MaxStreamWindowBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>HTTP2_CONNECTION_WINDOW_SIZE, default 16 MiB: four times the largest stream window, so that one stuck receiver cannot hold all of it.</summary>
    public int ConnectionWindowBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>SETTINGS_MAX_FRAME_SIZE. HTTP2_FRAME_SIZE, default 1 MiB.</summary>
    public int MaxFrameBytes { get; init; } = 1024 * 1024;

    /// <summary>SETTINGS_MAX_HEADER_LIST_SIZE.</summary>
    public required int MaxHeaderListBytes { get; init; }

    /// <summary>SETTINGS_MAX_CONCURRENT_STREAMS, announced by servers only.</summary>
    public int MaxConcurrentStreams { get; init; } = 200;

    /// <summary>Streams a client opens before it has seen the peer's SETTINGS.</summary>
    public int StreamsBeforeSettings { get; init; } = 100;

    /// <summary>Time from set-up, or from one PING, to the next PING.</summary>
    public TimeSpan KeepAliveInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A peer from which nothing at all arrives for so long after a PING is gone.</summary>
    public TimeSpan KeepAliveTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long the last GOAWAY of a graceful shutdown waits for the ACK of its PING.</summary>
    public TimeSpan GracefulAcknowledgementTimeout { get; init; } = TimeSpan.FromSeconds(2);

    public Http2Limits Limits { get; init; } = new();

    /// <summary>What all streams that share it may have beyond their initial windows; null: no such bound.</summary>
    public WindowBudget? GrowthBudget { get; init; }

    /// <summary>What is announced: a maximum below the usual initial window wins.</summary>
    internal int FirstStreamWindowBytes => Math.Min(InitialStreamWindowBytes, MaxStreamWindowBytes);

    public static Http2Settings ForClient { get; } = new() { MaxHeaderListBytes = 16 * 1024 };

    public static Http2Settings ForServer { get; } = new() { MaxHeaderListBytes = 64 * 1024 };
}
