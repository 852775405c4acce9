using System.Collections.Immutable;

namespace Ztunnel.Telemetry.Metrics;

/// <summary>How many threads own cells, how long silent series are kept, and which traffic labels are left out.</summary>
public sealed record MetricSettings
{
    /// <summary>Number of event loops; each has cells of its own.</summary>
    public required int Loops { get; init; }

    /// <summary>A series without an open connection that has not changed for this long disappears, so that the number of series follows the living workloads. Default 1 hour.</summary>
    public TimeSpan QuietPeriod { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Traffic labels (by name) that are not exported; series that differ only there become one. Default none.</summary>
    public ImmutableHashSet<string> DroppedTrafficLabels { get; init; } = [];
}
