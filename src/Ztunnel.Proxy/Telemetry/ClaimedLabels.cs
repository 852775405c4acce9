using Ztunnel.Mesh.Propagation;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Telemetry;

/// <summary>
/// Metric labels from what peers say of themselves. Whoever says it chooses every value, and each new set of them is a new series that stays for the quiet period: there is a bound, beyond which
/// a workload that only its own word tells of is unknown. Loop thread only.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="period">After this time the sets begin anew: as long as a quiet series stays.</param>
internal sealed class ClaimedLabels(TimeProvider time, TimeSpan period)
{
    /// <summary>Workloads behind gateways that one loop tells apart in a period.</summary>
    public const int MostSets = 1024;

    /// <summary>The longest name in Kubernetes; no workload has longer values to tell.</summary>
    public const int LongestValue = 253;

    private readonly HashSet<WorkloadLabels> _sets = [];
    private long _begunAt;

    /// <summary>Null: unknown.</summary>
    public WorkloadLabels? Of(Baggage baggage)
    {
        if (!IsCredible(baggage))
            return null;
        WorkloadLabels labels = ConnectionLabels.Of(baggage);
        if (_sets.TryGetValue(labels, out WorkloadLabels? known))
            return known;

        if (_sets.Count >= MostSets)
        {
            if (time.GetElapsedTime(_begunAt) < period)
                return null;
            _sets.Clear();
        }

        if (_sets.Count == 0)
            _begunAt = time.GetTimestamp();
        _sets.Add(labels);
        return labels;
    }

    private static bool IsCredible(Baggage baggage) =>
        Fits(baggage.WorkloadName) && Fits(baggage.CanonicalName) && Fits(baggage.CanonicalRevision) && Fits(baggage.Namespace) && Fits(baggage.ClusterId) && Fits(baggage.Region) && Fits(baggage.Zone);

    private static bool Fits(string? value) => value is not { Length: > LongestValue };
}
