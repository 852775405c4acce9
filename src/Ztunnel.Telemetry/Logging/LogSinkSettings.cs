namespace Ztunnel.Telemetry.Logging;

/// <summary>Bounds and times of the log sink.</summary>
public sealed record LogSinkSettings
{
    public LogFormat Format { get; init; } = LogFormat.Plain;

    /// <summary>Lines that may wait for the writer, a power of two; further ones are dropped and counted. The existing program holds 10 000 and then stalls.</summary>
    public int QueuedLines { get; init; } = 8192;

    /// <summary>How long the writer gathers lines after the first: one wake-up and one write for all that a burst brings.</summary>
    public TimeSpan GatherTime { get; init; } = TimeSpan.FromMilliseconds(5);
}
