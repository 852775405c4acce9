using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Propagation;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Telemetry;

/// <summary>
/// Metric labels from what peers say of themselves. Whoever says it chooses every value, and each new set of them is a new series that stays for the quiet period: there is a bound for all, and one for
/// each peer, so that none of them uses up what is for all. Beyond it a workload that only its own word tells of is unknown. Loop thread only.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="period">After this time the sets begin anew: as long as a quiet series stays.</param>
internal sealed class ClaimedLabels(TimeProvider time, TimeSpan period)
{
    /// <summary>Workloads behind gateways that one loop tells apart in a period.</summary>
    public const int MostSets = 1024;

    /// <summary>Of those, workloads that one identity claims to be: a service account has some deployments, in some zones.</summary>
    public const int MostSetsOfOnePeer = 64;

    /// <summary>The longest name in Kubernetes; no workload has longer values to tell.</summary>
    public const int LongestValue = 253;

    // Peers whose certificates name nobody have one share together.
    private static readonly SpiffeId Nobody = new("", "", "");

    private readonly HashSet<WorkloadLabels> _sets = [];
    private readonly Dictionary<SpiffeId, int> _shares = [];   // how many of the sets each peer was the first to claim
    private long _begunAt;

    /// <param name="baggage">What is claimed.</param>
    /// <param name="peer">Who claims it; null when its certificate names nobody.</param>
    /// <returns>Null: unknown.</returns>
    public WorkloadLabels? Of(Baggage baggage, SpiffeId? peer)
    {
        if (!IsCredible(baggage))
            return null;
        WorkloadLabels labels = ConnectionLabels.Of(baggage);
        if (_sets.TryGetValue(labels, out WorkloadLabels? known))
            return known;

        peer ??= Nobody;
        if (_sets.Count >= MostSets || _shares.GetValueOrDefault(peer) >= MostSetsOfOnePeer)
        {
            if (time.GetElapsedTime(_begunAt) < period)
                return null;
            _sets.Clear();
            _shares.Clear();
        }

        if (_sets.Count == 0)
            _begunAt = time.GetTimestamp();
        _sets.Add(labels);
        _shares[peer] = _shares.GetValueOrDefault(peer) + 1;
        return labels;
    }

    private static bool IsCredible(Baggage baggage) =>
        Fits(baggage.WorkloadName) && Fits(baggage.CanonicalName) && Fits(baggage.CanonicalRevision) && Fits(baggage.Namespace) && Fits(baggage.ClusterId) && Fits(baggage.Region) && Fits(baggage.Zone);

    private static bool Fits(string? value) => value is not { Length: > LongestValue };
}
