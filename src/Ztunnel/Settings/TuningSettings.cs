namespace Ztunnel.Settings;

/// <summary>Sizes, times and numbers (control-path 2.2, "Tuning"; 1.6).</summary>
public sealed record TuningSettings
{
    private static readonly TimeSpan DefaultDeadline = TimeSpan.FromSeconds(5);

    // At Istio's limit of 1 GiB this leaves 100 MiB to connections that are open.
    private const int DefaultMemoryRefusePercent = 90;

    /// <summary>Number of event loops; see <see cref="Settings.WorkerThreads"/>.</summary>
    public int WorkerThreads { get; init; } = 2;

    /// <summary>HTTP2_STREAM_WINDOW_SIZE, default 4 MiB.</summary>
    public int StreamWindowBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>HTTP2_CONNECTION_WINDOW_SIZE, default 16 MiB.</summary>
    public int ConnectionWindowBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>HTTP2_FRAME_SIZE, default 1 MiB.</summary>
    public int FrameBytes { get; init; } = 1024 * 1024;

    /// <summary>POOL_MAX_STREAMS_PER_CONNECTION, default 100.</summary>
    public int PoolMaxStreams { get; init; } = 100;

    /// <summary>POOL_UNUSED_RELEASE_TIMEOUT, default 5 min.</summary>
    public TimeSpan PoolUnusedRelease { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How old a tunnel gets before new connections take another one. ZTUNNEL_POOL_MAX_AGE, default 1 h.</summary>
    public TimeSpan PoolMaxAge { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long a connection may stay without a byte either way; 0s: for ever. ZTUNNEL_IDLE_TIMEOUT, default 0s.</summary>
    public TimeSpan IdleTimeout { get; init; }

    /// <summary>The same for a connection whose one side has ended. ZTUNNEL_HALF_CLOSED_TIMEOUT, default 24 h.</summary>
    public TimeSpan HalfClosedTimeout { get; init; } = TimeSpan.FromHours(24);

    /// <summary>KEEPALIVE_ENABLED, default true.</summary>
    public bool KeepAliveEnabled { get; init; } = true;

    /// <summary>KEEPALIVE_TIME, default 180 s.</summary>
    public TimeSpan KeepAliveTime { get; init; } = TimeSpan.FromSeconds(180);

    /// <summary>KEEPALIVE_INTERVAL, default 180 s.</summary>
    public TimeSpan KeepAliveInterval { get; init; } = TimeSpan.FromSeconds(180);

    /// <summary>KEEPALIVE_RETRIES, default 9.</summary>
    public int KeepAliveRetries { get; init; } = 9;

    /// <summary>USER_TIMEOUT_ENABLED, default false.</summary>
    public bool UserTimeoutEnabled { get; init; }

    /// <summary>How long open connections may finish once a drain begins: CONNECTION_TERMINATION_DEADLINE, else from TERMINATION_GRACE_PERIOD_SECONDS, else 5 s.</summary>
    public TimeSpan TerminationDeadline { get; init; } = DefaultDeadline;

    /// <summary>What the process may use, as resident memory; 0: what its control group says. ZTUNNEL_MEMORY_LIMIT, default 0.</summary>
    public long MemoryLimitBytes { get; init; }

    /// <summary>From this share of the limit on new connections are refused; 0: never. ZTUNNEL_MEMORY_REFUSE_PERCENT, default 90.</summary>
    public int MemoryRefusePercent { get; init; } = DefaultMemoryRefusePercent;

    /// <summary>What TCP_USER_TIMEOUT is set to, if at all.</summary>
    public TimeSpan? UserTimeout => UserTimeoutEnabled ? KeepAliveTime + KeepAliveInterval * KeepAliveRetries : null;

    public static TuningSettings Read(SettingReader reader, ProxyConfig config) => new()
    {
        WorkerThreads = Settings.WorkerThreads.Read(reader, config),
        StreamWindowBytes = Bytes(reader, "HTTP2_STREAM_WINDOW_SIZE", 4 * 1024 * 1024, minimum: 1, maximum: int.MaxValue),
        ConnectionWindowBytes = Bytes(reader, "HTTP2_CONNECTION_WINDOW_SIZE", 16 * 1024 * 1024, minimum: 65_535, maximum: int.MaxValue),
        // RFC 9113 6.5.2 bounds the frame size.
        FrameBytes = Bytes(reader, "HTTP2_FRAME_SIZE", 1024 * 1024, minimum: 16_384, maximum: 16_777_215),
        PoolMaxStreams = PositiveStreams(reader),
        PoolUnusedRelease = reader.Duration("POOL_UNUSED_RELEASE_TIMEOUT", TimeSpan.FromMinutes(5)),
        PoolMaxAge = reader.Duration("ZTUNNEL_POOL_MAX_AGE", TimeSpan.FromHours(1)),
        IdleTimeout = reader.Duration("ZTUNNEL_IDLE_TIMEOUT", TimeSpan.Zero),
        HalfClosedTimeout = reader.Duration("ZTUNNEL_HALF_CLOSED_TIMEOUT", TimeSpan.FromHours(24)),
        KeepAliveEnabled = reader.Flag("KEEPALIVE_ENABLED", fallback: true),
        KeepAliveTime = reader.Duration("KEEPALIVE_TIME", TimeSpan.FromSeconds(180)),
        KeepAliveInterval = reader.Duration("KEEPALIVE_INTERVAL", TimeSpan.FromSeconds(180)),
        KeepAliveRetries = (int)Math.Min(reader.Number<uint>("KEEPALIVE_RETRIES", 9), 127),
        UserTimeoutEnabled = reader.Flag("USER_TIMEOUT_ENABLED", fallback: false),
        TerminationDeadline = ReadDeadline(reader),
        MemoryLimitBytes = (long)Math.Min(reader.Number<ulong>("ZTUNNEL_MEMORY_LIMIT", 0), long.MaxValue),
        MemoryRefusePercent = Percent(reader, "ZTUNNEL_MEMORY_REFUSE_PERCENT", DefaultMemoryRefusePercent),
    };

    private static int Bytes(SettingReader reader, string name, uint fallback, int minimum, int maximum)
    {
        uint value = reader.Number(name, fallback);
        if (value >= minimum && value <= maximum)
            return (int)value;
        reader.Invalid(name, reader.Text(name, ""), $"expected a whole number from {minimum} to {maximum}");
        return (int)fallback;
    }

    private static int Percent(SettingReader reader, string name, byte fallback)
    {
        byte value = reader.Number(name, fallback);
        if (value <= 100)
            return value;
        reader.Invalid(name, reader.Text(name, ""), "expected a whole number from 0 to 100");
        return fallback;
    }

    private static int PositiveStreams(SettingReader reader)
    {
        ushort streams = reader.Number<ushort>("POOL_MAX_STREAMS_PER_CONNECTION", 100);
        if (streams == 0)
            reader.Invalid("POOL_MAX_STREAMS_PER_CONNECTION", "0", "expected a whole number from 1 to 65535");
        return Math.Max((int)streams, 1);
    }

    // Kubernetes kills the pod when its grace period is over: leave some of it for the rest of the shutdown.
    private static TimeSpan ReadDeadline(SettingReader reader)
    {
        // Timers reach some fifty days; whoever says more means "until the last has left".
        TimeSpan longest = TimeSpan.FromDays(30);
        TimeSpan? explicitly = reader.OptionalDuration("CONNECTION_TERMINATION_DEADLINE");
        ulong? grace = reader.OptionalNumber<ulong>("TERMINATION_GRACE_PERIOD_SECONDS");
        if (explicitly is { } deadline)
            return deadline < longest ? deadline : longest;
        if (grace is not { } seconds)
            return DefaultDeadline;
        ulong left = seconds > 10 ? seconds - 5 : Math.Max(seconds, 2) - 1;
        return TimeSpan.FromSeconds(Math.Min(left, (ulong)longest.TotalSeconds));
    }
}
