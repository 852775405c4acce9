namespace Ztunnel.Telemetry.Metrics;

/// <summary>How long something took, how often. For what happens now and then, on any thread: one lock, and no series but its own.</summary>
public sealed class Histogram : MetricFamily
{
    private readonly Lock _lock = new();
    private readonly TimeSpan[] _bounds;
    private readonly long[] _counts;   // one for each bound, and one for what is longer
    private long _sumTicks;

    internal Histogram(MetricGroup group, string name, string help, TimeSpan[] bounds)
        : base(group, MetricKind.Histogram, name, help, ["le"], unit: "seconds")
    {
        _bounds = bounds;
        _counts = new long[bounds.Length + 1];
    }

    public void Observe(TimeSpan duration)
    {
        int bucket = 0;
        while (bucket < _bounds.Length && duration > _bounds[bucket])
            bucket++;
        lock (_lock)
        {
            _counts[bucket]++;
            _sumTicks += duration.Ticks;
        }
    }

    /// <summary>A family that was never observed has no samples, as everywhere.</summary>
    internal override IEnumerable<FlushPoint> WriteSamples(ExpositionWriter writer)
    {
        (long[] counts, long sumTicks) = Read();
        long total = counts.Sum();
        if (total == 0)
            yield break;
        writer.StartSample(Name, "_sum");
        writer.EndSampleSeconds(sumTicks * TimeSpan.NanosecondsPerTick);
        writer.StartSample(Name, "_count");
        writer.EndSample(total);
        long cumulative = 0;
        for (int bucket = 0; bucket < counts.Length; bucket++)
        {
            cumulative += counts[bucket];
            writer.StartSample(Name, "_bucket");
            writer.Label("le", bucket < _bounds.Length ? _bounds[bucket].TotalSeconds.ToString("0.0####", System.Globalization.CultureInfo.InvariantCulture) : "+Inf");
            writer.EndSample(cumulative);
        }

        yield return default;
    }

    private (long[] Counts, long SumTicks) Read()
    {
        lock (_lock)
            return ([.. _counts], _sumTicks);
    }
}
