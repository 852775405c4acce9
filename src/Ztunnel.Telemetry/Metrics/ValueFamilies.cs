namespace Ztunnel.Telemetry.Metrics;

/// <summary>A number that only grows.</summary>
public sealed class Counter
{
    private readonly ShardedValue _value;

    internal Counter(ShardedValue value) => _value = value;

    public long Value => _value.Read();

    /// <summary>Called by a loop's own thread with its index: a plain add.</summary>
    public void Add(int loop, long amount = 1) => _value.Add(loop, amount);

    /// <summary>For threads that are no event loop.</summary>
    public void AddShared(long amount = 1) => _value.Add(amount);
}

/// <summary>A number that goes up and down.</summary>
public sealed class Gauge
{
    private readonly ShardedValue _value;

    internal Gauge(ShardedValue value) => _value = value;

    public long Value => _value.Read();

    /// <summary>Called by a loop's own thread with its index: a plain add. What one loop adds another may take away.</summary>
    public void Add(int loop, long amount) => _value.Add(loop, amount);

    /// <summary>For threads that are no event loop.</summary>
    public void AddShared(long amount) => _value.Add(amount);

    /// <summary>For gauges that no loop adds to.</summary>
    public void Set(long value) => _value.Set(value);
}

/// <summary>Series with fixed label values, made when first asked for and kept.</summary>
public abstract class ValueFamily<TValue> : MetricFamily
{
    private readonly Lock _adding = new();
    private readonly string[] _labels;
    private readonly int _loops;
    private volatile Series[] _series = [];

    private protected ValueFamily(MetricGroup group, MetricKind kind, string name, string help, string[] labels, int loops, string? unit)
        : base(group, kind, name, help, labels, unit)
    {
        _labels = labels;
        _loops = loops;
    }

    /// <summary>The series with these label values, in the order of the label names. Keep the result: this looks through all series.</summary>
    public TValue With(params string[] values)
    {
        if (values.Length != _labels.Length)
            throw new ArgumentException($"{Name} has {_labels.Length} labels, {values.Length} values were given", nameof(values));
        lock (_adding)
        {
            foreach (Series known in _series)
            {
                if (known.Values.AsSpan().SequenceEqual(values))
                    return known.Handle;
            }

            var cells = new ShardedValue(_loops);
            var series = new Series([.. values], cells, Wrap(cells));
            _series = [.. _series, series];
            return series.Handle;
        }
    }

    private protected abstract TValue Wrap(ShardedValue cells);

    internal sealed override IEnumerable<FlushPoint> WriteSamples(ExpositionWriter writer)
    {
        foreach (Series series in _series)
        {
            writer.StartSample(Name, SampleSuffix);
            for (int i = 0; i < _labels.Length; i++)
                writer.Label(_labels[i], series.Values[i]);
            writer.EndSample(series.Cells.Read());
            yield return default;
        }
    }

    private sealed record Series(string[] Values, ShardedValue Cells, TValue Handle);
}

/// <inheritdoc/>
public sealed class CounterFamily : ValueFamily<Counter>
{
    internal CounterFamily(MetricGroup group, string name, string help, string[] labels, int loops, string? unit)
        : base(group, MetricKind.Counter, name, help, labels, loops, unit)
    {
    }

    private protected override Counter Wrap(ShardedValue cells) => new(cells);
}

/// <inheritdoc/>
public sealed class GaugeFamily : ValueFamily<Gauge>
{
    internal GaugeFamily(MetricGroup group, string name, string help, string[] labels, int loops, string? unit)
        : base(group, MetricKind.Gauge, name, help, labels, loops, unit)
    {
    }

    private protected override Gauge Wrap(ShardedValue cells) => new(cells);
}
