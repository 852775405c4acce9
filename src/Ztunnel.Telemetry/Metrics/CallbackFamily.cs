namespace Ztunnel.Telemetry.Metrics;

/// <summary>A family whose values somebody else keeps: it is asked at scrape time.</summary>
internal sealed class CallbackFamily(MetricGroup group, MetricKind kind, string name, string help, string[] labels, Action<SampleSink> read, string? unit)
    : MetricFamily(group, kind, name, help, labels, unit)
{
    internal override IEnumerable<FlushPoint> WriteSamples(ExpositionWriter writer)
    {
        var sink = new SampleSink(Name, SampleSuffix, labels, writer);
        read(sink);
        if (sink.Count > 0)
            yield return default;
    }
}

/// <summary>Takes the samples of a family that is asked at scrape time.</summary>
public sealed class SampleSink
{
    private readonly string _name;
    private readonly string _suffix;
    private readonly string[] _labels;
    private readonly ExpositionWriter _writer;

    internal SampleSink(string name, string suffix, string[] labels, ExpositionWriter writer)
    {
        _name = name;
        _suffix = suffix;
        _labels = labels;
        _writer = writer;
    }

    internal int Count { get; private set; }

    public void Report(long value, params ReadOnlySpan<string> labelValues)
    {
        Start(labelValues);
        _writer.EndSample(value);
    }

    public void Report(double value, params ReadOnlySpan<string> labelValues)
    {
        Start(labelValues);
        _writer.EndSample(value);
    }

    /// <summary>A duration, written in seconds.</summary>
    public void Report(TimeSpan value, params ReadOnlySpan<string> labelValues)
    {
        Start(labelValues);
        _writer.EndSampleSeconds((decimal)value.Ticks * TimeSpan.NanosecondsPerTick); // a certificate may hold until the year 9999: more nanoseconds than a long counts
    }

    private void Start(ReadOnlySpan<string> labelValues)
    {
        if (labelValues.Length != _labels.Length)
            throw new ArgumentException($"{_name} has {_labels.Length} labels, {labelValues.Length} values were given", nameof(labelValues));
        Count++;
        _writer.StartSample(_name, _suffix);
        for (int i = 0; i < _labels.Length; i++)
            _writer.Label(_labels[i], labelValues[i]);
    }
}
