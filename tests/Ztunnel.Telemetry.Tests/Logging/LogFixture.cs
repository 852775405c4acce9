using System.Text;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Telemetry.Tests.Logging;

/// <summary>A sink into memory, with time standing still for its lines.</summary>
internal sealed class LogFixture : IAsyncDisposable
{
    private readonly MemoryStream _output = new();
    private readonly LogSink _sink;

    public LogFixture(LogFormat format, string filter = "info")
    {
        Assert.True(LogFilter.TryParse(filter, out LogFilter parsed, out string error), error);
        _sink = new LogSink(_output, new LogSinkSettings { Format = format, GatherTime = TimeSpan.Zero }, Clock);
        Levels = new LogLevels(parsed);
        Provider = new LogProvider(_sink, Levels);
        Access = new AccessLog(_sink, Levels);
    }

    public FixedClock Clock { get; } = new();

    public LogLevels Levels { get; }

    public LogProvider Provider { get; }

    public AccessLog Access { get; }

    public LogSink Sink => _sink;

    /// <summary>Stops the sink and gives everything it wrote.</summary>
    public async Task<string> StopAsync()
    {
        Assert.True(await _sink.StopAsync(TimeSpan.FromSeconds(10)));
        return Encoding.UTF8.GetString(_output.ToArray());
    }

    public ValueTask DisposeAsync() => _sink.DisposeAsync();
}

/// <summary>Tells the time that a test sets; its timers are real.</summary>
internal sealed class FixedClock : TimeProvider
{
    public DateTimeOffset Now { get; set; } = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    public override DateTimeOffset GetUtcNow() => Now;
}
