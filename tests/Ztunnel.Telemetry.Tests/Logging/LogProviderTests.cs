using System.Net;
using Microsoft.Extensions.Logging;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Telemetry.Tests.Logging;

public sealed partial class LogProviderTests
{
    private static readonly IPEndPoint Inbound = new(IPAddress.IPv6Any, 15008);

    [Fact]
    public async Task Log_PlainFormat_IsAsTheReferenceWritesIt()
    {
        await using var log = new LogFixture(LogFormat.Plain, "debug");
        WriteAll(log);

        Assert.Equal(
            [
                "2026-01-02T03:04:05.678901Z\tinfo\tproxy::inbound\tlistener established\taddress=[::]:15008 component=\"inbound\" transparent=true",
                "2026-01-02T03:04:05.678901Z\tinfo\treadiness\tTask 'proxy' complete (4.9063ms), still awaiting 1 tasks\t",
                "2026-01-02T03:04:05.678901Z\tinfo\txds:local_client\tlocal config initialized\tnum_workloads=5",
                "2026-01-02T03:04:05.678901Z\tdebug\tproxy::outbound:proxy{wl=default/b}:inbound{id=bb71 peer=10.88.0.1:36590}\tconnection completed\tcomponent=\"outbound\" dur=56.1357ms",
                "2026-01-02T03:04:05.678901Z\twarn\tztunnel\tcannot\\nread\terror=\"no \\\"x\\\"\"",
            ],
            (await log.StopAsync()).TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public async Task Log_JsonFormat_IsAsTheReferenceWritesIt()
    {
        await using var log = new LogFixture(LogFormat.Json, "debug");
        WriteAll(log);

        Assert.Equal(
            [
                """{"level":"info","time":"2026-01-02T03:04:05.678901Z","scope":"ztunnel::proxy::inbound","message":"listener established","address":"[::]:15008","component":"inbound","transparent":true}""",
                """{"level":"info","time":"2026-01-02T03:04:05.678901Z","scope":"ztunnel::readiness","message":"Task 'proxy' complete (4.9063ms), still awaiting 1 tasks"}""",
                """{"level":"info","time":"2026-01-02T03:04:05.678901Z","scope":"ztunnel::xds","message":"local config initialized","num_workloads":5,"local_client":{}}""",
                """{"level":"debug","time":"2026-01-02T03:04:05.678901Z","scope":"ztunnel::proxy::outbound","message":"connection completed","component":"outbound","dur":"56.1357ms","proxy":{"wl":"default/b"},"inbound":{"id":"bb71","peer":"10.88.0.1:36590"}}""",
                """{"level":"warn","time":"2026-01-02T03:04:05.678901Z","scope":"ztunnel","message":"cannot\nread","error":"no \"x\""}""",
            ],
            (await log.StopAsync()).TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public async Task Log_ParameterNamedLikeAKeyword_IsAFieldWithoutItsMark()
    {
        await using var log = new LogFixture(LogFormat.Plain, "info");
        PodReceived(log.Provider.CreateLogger("inpod::statemanager"), "default");

        Assert.EndsWith("pod received, starting proxy\tnamespace=\"default\"\n", await log.StopAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Log_FilterReplaced_TakesEffectOnLoggersThatExist()
    {
        await using var log = new LogFixture(LogFormat.Plain, "warn");
        ILogger logger = log.Provider.CreateLogger("proxy::inbound");
        Assert.False(logger.IsEnabled(LogLevel.Information));

        Assert.True(log.Levels.Current.TryAdd("ztunnel::proxy=debug", out LogFilter changed, out _));
        log.Levels.Replace(changed);

        Assert.True(logger.IsEnabled(LogLevel.Debug));
        Assert.False(logger.IsEnabled(LogLevel.Trace));
        Assert.False(log.Provider.CreateLogger("dns::server").IsEnabled(LogLevel.Information));
    }

    [Theory]
    [InlineData(25, "2.5µs")]
    [InlineData(4, "400ns")]
    [InlineData(15_000_000, "1.5s")]
    [InlineData(1_000_000, "100ms")]
    public void Describe_Duration_KeepsADigitBeforeThePoint(long ticks, string expected)
    {
        Assert.Equal(expected, DurationText.Describe(new TimeSpan(ticks)));
    }

    private static void WriteAll(LogFixture log)
    {
        log.Clock.Now = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero).AddTicks(6_789_012);
        ListenerEstablished(log.Provider.CreateLogger("proxy::inbound"), Inbound, "inbound", transparent: true);
        TaskComplete(log.Provider.CreateLogger("readiness"), "proxy", "4.9063ms", 1);
        LocalConfig(log.Provider.CreateLogger("xds:local_client"), 5);
        Completed(
            log.Provider.CreateLogger("proxy::outbound"), new LogSpan("proxy", [new("wl", "default/b")]), new LogSpan("inbound", [new("id", "bb71"), new("peer", "10.88.0.1:36590")]),
            "outbound", new TimeSpan(561_357));
        // Information and above only: with debug on, an exception is written with its stack.
        Assert.True(log.Levels.Current.TryAdd("ztunnel=info", out LogFilter quiet, out _));
        log.Levels.Replace(quiet);
        CannotRead(log.Provider.CreateLogger("ztunnel"), "cannot\nread", new InvalidOperationException("no \"x\""));
    }

    [LoggerMessage(6, LogLevel.Information, "pod received, starting proxy")]
    private static partial void PodReceived(ILogger log, string @namespace);

    [LoggerMessage(1, LogLevel.Information, "listener established")]
    private static partial void ListenerEstablished(ILogger logger, IPEndPoint address, string component, bool transparent);

    [LoggerMessage(2, LogLevel.Information, "Task '{Name}' complete ({Elapsed}), still awaiting {Pending} tasks")]
    private static partial void TaskComplete(ILogger logger, string name, string elapsed, int pending);

    [LoggerMessage(3, LogLevel.Information, "local config initialized")]
    private static partial void LocalConfig(ILogger logger, int num_workloads);

    [LoggerMessage(4, LogLevel.Debug, "connection completed")]
    private static partial void Completed(ILogger logger, LogSpan outer, LogSpan inner, string component, TimeSpan dur);

    [LoggerMessage(5, LogLevel.Warning, "{Text}")]
    private static partial void CannotRead(ILogger logger, string text, Exception exception);
}
