using System.Globalization;

namespace Ztunnel.Microbenchmarks.Scale;

/// <summary>How long the collector has stopped everything since this was made, by kind of collection. Whoever measures looks often enough to see each.</summary>
internal sealed class CollectorPauses
{
    private static readonly GCKind[] Kinds = [GCKind.Ephemeral, GCKind.FullBlocking, GCKind.Background];

    private readonly List<(string Kind, double Milliseconds, double KeptMegabytes)> _seen = [];
    private readonly Dictionary<GCKind, long> _last = Kinds.ToDictionary(static kind => kind, static kind => GC.GetGCMemoryInfo(kind).Index);

    /// <summary>Notes what has been collected since the last look.</summary>
    public void Look()
    {
        foreach (GCKind kind in Kinds)
        {
            GCMemoryInfo collection = GC.GetGCMemoryInfo(kind);
            if (collection.Index == _last[kind])
                continue;
            _last[kind] = collection.Index;
            double longest = 0;
            foreach (TimeSpan pause in collection.PauseDurations)
                longest = Math.Max(longest, pause.TotalMilliseconds);
            _seen.Add((kind == GCKind.Ephemeral ? $"generation {collection.Generation}" : $"{kind}", longest, collection.PromotedBytes / 1e6));
        }
    }

    public IEnumerable<string> Describe() => _seen.GroupBy(static collection => collection.Kind).Select(static kind =>
    {
        double[] pauses = [.. kind.Select(static collection => collection.Milliseconds).Order()];
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{kind.Key}: {pauses.Length} x, pause {pauses[pauses.Length / 2]:F1} ms in the middle, {pauses[pauses.Length * 95 / 100]:F1} for 95 %, {pauses[^1]:F1} at most; at most {kind.Max(static collection => collection.KeptMegabytes):F1} MB kept");
    });
}
