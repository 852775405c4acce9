using BenchmarkDotNet.Attributes;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Microbenchmarks.Telemetry;

/// <summary>What does counting cost, for each piece of data and for each connection?</summary>
[MemoryDiagnoser]
public class TrafficMetricsBenchmarks
{
    private readonly TrafficMetrics _metrics = new(new MetricRegistry(new MetricSettings { Loops = 2 }, TimeProvider.System));
    private readonly TrafficLabels _labels = BenchLabels.Create();
    private TrafficConnection _connection = null!;

    [GlobalSetup]
    public void Start() => _connection = _metrics.Opened(loop: 0, _labels);

    [Benchmark]
    public long AddBytes()
    {
        _connection.AddReceived(16384);
        _connection.AddSent(1);
        return _connection.ReceivedBytes;
    }

    [Benchmark]
    public long OpenAndClose()
    {
        TrafficConnection connection = _metrics.Opened(loop: 0, _labels);
        connection.AddReceived(1);
        connection.Close(ResponseFlag.None);
        return connection.ReceivedBytes;
    }
}
