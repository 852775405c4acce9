using System.Net;
using BenchmarkDotNet.Attributes;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Microbenchmarks.Telemetry;

/// <summary>What does the line at the end of a connection cost the loop that writes it, and what when nobody wants it?</summary>
[MemoryDiagnoser]
public class AccessLogBenchmarks
{
    private readonly TrafficLabels _labels = BenchLabels.Create();
    private readonly IPEndPoint _source = new(IPAddress.Parse("10.0.0.1"), 40000);
    private readonly IPEndPoint _destination = new(IPAddress.Parse("10.0.0.2"), 15008);
    private LogSink _sink = null!;
    private AccessLog _log = null!;

    [Params("info", "warn")]
    public string Level { get; set; } = "info";

    [GlobalSetup]
    public void Start()
    {
        if (!LogFilter.TryParse(Level, out LogFilter filter, out string error))
        {
            throw new InvalidOperationException(error);
        }

        // A queue shorter than the stock of spare buffers: a loop that does nothing but log outruns any writer, and what is then dropped is not the question here.
        _sink = new LogSink(Stream.Null, new LogSinkSettings { GatherTime = TimeSpan.Zero, QueuedLines = 128 }, TimeProvider.System);
        _log = new AccessLog(_sink, new LogLevels(filter));
    }

    [GlobalCleanup]
    public async Task Stop() => await _sink.DisposeAsync();

    [Benchmark]
    public void Complete() => _log.Complete(new AccessRecord
    {
        Labels = _labels,
        Source = _source,
        SourceWorkload = "client-5d6f7",
        Destination = _destination,
        HboneAuthority = "10.0.0.2:8080",
        DestinationWorkload = "server-7c8b9",
        ReceivedBytes = 123_456,
        SentBytes = 7_890,
        Duration = TimeSpan.FromMilliseconds(12),
    });
}
