using System.Globalization;
using Microsoft.Extensions.Logging;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Process;
using Ztunnel.Linux.Sockets;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Lifetime;

/// <summary>What the process says of itself: descriptors, loops, the log.</summary>
internal static class ProcessTelemetry
{
    /// <summary>Raises the limit of open files and says so; failure is a warning, since the old limit may do.</summary>
    public static void RaiseDescriptorLimit(ILogger log)
    {
        OpenFilesLimit limit = ResourceLimits.RaiseOpenFiles();
        if (limit.Error == Errno.None)
            DaemonLog.DescriptorLimitRaised(log, limit.Before, limit.Now);
        else
            DaemonLog.DescriptorLimitFailed(log, ErrnoText.Describe(limit.Error));
    }

    public static void AddTo(MetricRegistry metrics, LoopGroup loops, LogSink sink)
    {
        metrics.AddProcess(static () => ProcessStatus.OpenFiles, static () => (long)Math.Min(ResourceLimits.RaiseOpenFiles().Now, long.MaxValue));
        AddLoops(metrics, MetricKind.Counter, "ztunnel_loop_busy_seconds", "Time an event loop has been working (unstable)", loops, static loop => loop.BusyNanoseconds, unit: "seconds");
        AddLoops(metrics, MetricKind.Gauge, "ztunnel_loop_longest_turn_seconds", "Longest turn of an event loop since the last scrape: for so long its other connections waited (unstable)", loops, static loop =>
        {
            long longest = Math.Max(loop.LongestTurnNanoseconds, loop.CurrentTurnNanoseconds);
            loop.ResetLongestTurn();
            return longest;
        }, unit: "seconds");
        metrics.AddCallback(
            MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_log_lines_dropped", "Log lines lost because nobody read the output (unstable)", [], sample => sample.Report(sink.DroppedLines));
    }

    private static void AddLoops(MetricRegistry metrics, MetricKind kind, string name, string help, LoopGroup loops, Func<LoopMetrics, long> nanoseconds, string unit) =>
        metrics.AddCallback(MetricGroup.Ztunnel, kind, name, help, ["loop"], sink =>
        {
            foreach (EventLoop loop in loops.Loops)
                sink.Report(TimeSpan.FromTicks(nanoseconds(loop.Metrics) / TimeSpan.NanosecondsPerTick), loop.Index.ToString(CultureInfo.InvariantCulture));
        }, unit);
}
