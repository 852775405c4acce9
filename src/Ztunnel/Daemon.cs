using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Ztunnel.Http;
using Ztunnel.Http.Dump;
using Ztunnel.Lifetime;
using Ztunnel.Linux.Loop;
using Ztunnel.Settings;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel;

/// <summary>
/// The running process, composed top to bottom in the order in which it starts (control-path 1.2); nothing else news up a subsystem. It stops in the opposite order.
/// </summary>
public static class Daemon
{
    // Whatever takes longer than the deadline that every part keeps for itself is stuck (W-25).
    private static readonly TimeSpan ShutdownMargin = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LogFlushLimit = TimeSpan.FromSeconds(1);

    /// <summary>Runs until it is asked to stop; the result is the exit code.</summary>
    /// <exception cref="StartException">It cannot start.</exception>
    public static async Task<int> RunAsync(ZtunnelSettings settings, Stream output, TimeProvider time)
    {
        var sink = new LogSink(output, new LogSinkSettings { Format = settings.Observability.LogFormat }, time);
        try
        {
            await RunAsync(settings, sink, time).ConfigureAwait(false);
            return 0;
        }
        finally
        {
            await sink.StopAsync(LogFlushLimit).ConfigureAwait(false);
        }
    }

    private static async Task RunAsync(ZtunnelSettings settings, LogSink sink, TimeProvider time)
    {
        // 1. Logs, then who we are and what we were told.
        var levels = new LogLevels(settings.Observability.LogFilter);
        using var loggers = new LogProvider(sink, levels);
        ILogger log = loggers.CreateLogger("ztunnel");
        BuildInfo build = BuildInfo.Create(settings.Observability.IstioVersion);
        DaemonLog.Version(log, build);
        DaemonLog.Configuration(log, Describe(settings));
        using var shutdown = new Shutdown(loggers);

        // 2. Loops: no thread of the runtime may be started later from inside a pod's namespace.
        using LoopGroup loops = LoopGroup.Start(settings.Tuning.WorkerThreads);

        // 3. What the HTTP ports show.
        var readiness = new Readiness(time, loggers);
        readiness.Await("state manager");
        var metrics = new MetricRegistry(
            new MetricSettings
            {
                Loops = settings.Tuning.WorkerThreads,
                QuietPeriod = settings.Observability.MetricsQuietPeriod,
                DroppedTrafficLabels = settings.Observability.DroppedTrafficLabels,
            },
            time);
        metrics.AddBuild(settings.Observability.IstioVersion);
        var dump = new ConfigDump([new ValueSection("config", json => ConfigSection.Write(json, settings))]);
        bool ipv6 = settings.Mode.IPv6Enabled;
        await using var http = new HttpServer(
            [
                new ReadinessPort(ListenAddresses.Wildcard(ObservabilitySettings.ReadinessPort, ipv6), readiness),
                new AdminPort(ListenAddresses.Loopback(settings.Observability.AdminPort, ipv6), levels, shutdown.Request, dump, loggers),
                new StatsPort(ListenAddresses.Wildcard(settings.Observability.StatsPort, ipv6), metrics),
            ],
            loggers);
        await http.StartAsync(CancellationToken.None).ConfigureAwait(false);
        readiness.Complete("state manager");

        await shutdown.Requested.ConfigureAwait(false);
        Task stopped = http.StopAsync(CancellationToken.None);
        Task limit = Task.Delay(settings.Tuning.TerminationDeadline + ShutdownMargin, time);
        if (await Task.WhenAny(stopped, shutdown.Insisted, limit).ConfigureAwait(false) == limit)
            DaemonLog.ShutdownOverdue(log, DurationText.Describe(settings.Tuning.TerminationDeadline + ShutdownMargin));
    }

    private static string Describe(ZtunnelSettings settings)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
            ConfigSection.Write(json, settings);
        return Encoding.UTF8.GetString(text.ToArray());
    }
}
