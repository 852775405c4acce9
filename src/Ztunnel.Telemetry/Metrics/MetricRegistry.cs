using System.Buffers;
using System.IO.Pipelines;

namespace Ztunnel.Telemetry.Metrics;

/// <summary>
/// All families of the process. Registration happens while the daemon is composed; values are counted by their owners without a lock and merged when somebody scrapes.
/// </summary>
public sealed class MetricRegistry(MetricSettings settings, TimeProvider time)
{
    // A scrape leaves in pieces of this size, so that its cost in memory does not follow the number of series.
    private const int FlushBytes = 64 * 1024;

    private readonly Lock _registration = new();
    private readonly List<Action<long>> _sweeps = [];
    private readonly List<Action<int>> _trims = [];
    private volatile MetricFamily[] _families = [];

    public MetricSettings Settings { get; } = settings;

    /// <summary>The families in the order in which they are written.</summary>
    public IReadOnlyList<MetricFamily> Families => _families;

    internal TimeProvider Time { get; } = time;

    /// <summary>Adds a family of a kind of its own; the Add methods below make the usual ones.</summary>
    public TFamily Add<TFamily>(TFamily family)
        where TFamily : MetricFamily
    {
        lock (_registration)
        {
            if (_families.Any(known => known.Name == family.Name))
                throw new ArgumentException($"{family.Name} is registered already", nameof(family));
            // Stable: families of one group keep the order in which they came.
            _families = [.. _families.Append(family).OrderBy(static known => known.Group)];
        }

        return family;
    }

    /// <summary>A counter without labels.</summary>
    public Counter AddCounter(MetricGroup group, string name, string help, string? unit = null) =>
        Add(new CounterFamily(group, name, help, [], Settings.Loops, unit)).With();

    /// <summary>A counter with labels whose values are few and known, such as reasons; its series stay for ever.</summary>
    public CounterFamily AddCounter(MetricGroup group, string name, string help, string[] labels, string? unit = null) =>
        Add(new CounterFamily(group, name, help, labels, Settings.Loops, unit));

    /// <summary>A gauge without labels.</summary>
    public Gauge AddGauge(MetricGroup group, string name, string help, string? unit = null) =>
        Add(new GaugeFamily(group, name, help, [], Settings.Loops, unit)).With();

    /// <summary>A gauge with labels whose values are few and known.</summary>
    public GaugeFamily AddGauge(MetricGroup group, string name, string help, string[] labels, string? unit = null) =>
        Add(new GaugeFamily(group, name, help, labels, Settings.Loops, unit));

    /// <summary>Durations of what happens now and then.</summary>
    public Histogram AddHistogram(MetricGroup group, string name, string help, params TimeSpan[] bounds) => Add(new Histogram(group, name, help, bounds));

    /// <summary>Values asked for at scrape time. <paramref name="read"/> calls the sink once for each sample and may be called from any thread; label sets that are gone simply are not reported any more.</summary>
    public void AddCallback(MetricGroup group, MetricKind kind, string name, string help, string[] labels, Action<SampleSink> read, string? unit = null) =>
        Add(new CallbackFamily(group, kind, name, help, labels, read, unit));

    /// <summary>Writes the whole scrape, ending in <c># EOF</c>.</summary>
    public void Write(IBufferWriter<byte> output, bool openMetrics = true)
    {
        Sweep();
        var writer = new ExpositionWriter(output, openMetrics);
        foreach (MetricFamily family in _families)
        {
            foreach (FlushPoint _ in family.Write(writer))
            {
            }
        }

        writer.End();
    }

    /// <summary>Writes the whole scrape, flushing whenever enough has been gathered.</summary>
    public async Task WriteAsync(PipeWriter output, bool openMetrics, CancellationToken cancellation)
    {
        Sweep();
        var writer = new ExpositionWriter(output, openMetrics);
        foreach (MetricFamily family in _families)
        {
            foreach (FlushPoint _ in family.Write(writer))
            {
                if (writer.UnflushedBytes < FlushBytes)
                    continue;
                writer.CommitPiece();
                FlushResult flushed = await output.FlushAsync(cancellation).ConfigureAwait(false);
                if (flushed.IsCompleted || flushed.IsCanceled)
                    return;
            }
        }

        writer.End();
        await output.FlushAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Removes series that have been quiet for the period. Every scrape does it; the daemon calls it on a timer too, for nobody may be scraping.</summary>
    public void Sweep()
    {
        long now = Time.GetTimestamp();
        Action<long>[] sweeps;
        lock (_registration)
            sweeps = [.. _sweeps];
        foreach (Action<long> sweep in sweeps)
            sweep(now);
    }

    /// <summary>Lets go of a loop's share of series that have disappeared. Loop thread only; a loop with traffic does it by itself.</summary>
    public void Trim(int loop)
    {
        Action<int>[] trims;
        lock (_registration)
            trims = [.. _trims];
        foreach (Action<int> trim in trims)
            trim(loop);
    }

    internal SeriesTable<TLabels> AddTable<TLabels>(int valuesPerSeries)
        where TLabels : class, IEquatable<TLabels>
    {
        var table = new SeriesTable<TLabels>(Settings.Loops, valuesPerSeries, Settings.QuietPeriod, Time);
        lock (_registration)
        {
            _sweeps.Add(table.Sweep);
            _trims.Add(table.Trim);
        }

        return table;
    }
}
