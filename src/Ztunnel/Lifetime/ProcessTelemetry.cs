using System.Globalization;
using Microsoft.Extensions.Logging;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Process;
using Ztunnel.Linux.Sockets;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Lifetime;

/// <summary>What the process says of itself: descriptors, memory, loops and their buffers, the log.</summary>
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

    public static void AddTo(MetricRegistry metrics, LoopGroup loops, LogSink sink, TimeProvider time)
    {
        metrics.AddProcess(static () => ProcessStatus.OpenFiles, static () => (long)Math.Min(ResourceLimits.RaiseOpenFiles().Now, long.MaxValue));
        AddRuntime(metrics, time.GetUtcNow());
        AddLoops(metrics, MetricKind.Counter, "ztunnel_loop_busy_seconds", "Time an event loop has been working (unstable)", loops, static loop => loop.BusyNanoseconds, unit: "seconds");
        AddLoops(metrics, MetricKind.Gauge, "ztunnel_loop_longest_turn_seconds", "Longest turn of an event loop since the last scrape: for so long its other connections waited (unstable)", loops, static loop =>
        {
            long longest = Math.Max(loop.LongestTurnNanoseconds, loop.CurrentTurnNanoseconds);
            loop.ResetLongestTurn();
            return longest;
        }, unit: "seconds");
        metrics.AddCallback(
            MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_loop_slow_turns", "Turns of an event loop that took longer than so many seconds: its other connections were that late (unstable)",
            ["loop", "longer_than"], turns => ReportSlowTurns(turns, loops));
        AddLoops(metrics, MetricKind.Gauge, "ztunnel_buffered_bytes", "Memory of buffers in use by an event loop: bytes that wait for a blocked receiver, and work in progress (unstable)", loops, static loop => loop.Buffers.RentedBytes);
        AddLoops(metrics, MetricKind.Gauge, "ztunnel_buffer_memory_bytes", "Address space an event loop keeps for buffers, in use or not (unstable)", loops, static loop => loop.Buffers.MappedBytes);
        metrics.AddCallback(
            MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_log_lines_dropped", "Log lines lost because nobody read the output (unstable)", [], sample => sample.Report(sink.DroppedLines));
    }

    // Names every Prometheus client uses for them.
    private static void AddRuntime(MetricRegistry metrics, DateTimeOffset started)
    {
        metrics.AddCallback(MetricGroup.Process, MetricKind.Counter, "process_cpu_seconds", "Total user and system CPU time spent in seconds", [], static sink => sink.Report(ProcessStatus.CpuTime), unit: "seconds");
        metrics.AddCallback(MetricGroup.Process, MetricKind.Gauge, "process_resident_memory_bytes", "Resident memory size in bytes", [], static sink => sink.Report(ProcessStatus.ResidentBytes), unit: "bytes");
        metrics.AddCallback(
            MetricGroup.Process, MetricKind.Gauge, "process_start_time_seconds", "Start time of the process since unix epoch in seconds", [], sink => sink.Report(started - DateTimeOffset.UnixEpoch), unit: "seconds");
        metrics.AddCallback(MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_heap_bytes", "Managed heap after the last collection (unstable)", [], static sink => sink.Report(GC.GetGCMemoryInfo().HeapSizeBytes), unit: "bytes");
        metrics.AddCallback(MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_heap_allocated_bytes", "Bytes allocated on the managed heap (unstable)", [], static sink => sink.Report(GC.GetTotalAllocatedBytes()), unit: "bytes");
        metrics.AddCallback(MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_heap_pause_seconds", "Time all threads stood still for the garbage collector (unstable)", [], static sink => sink.Report(GC.GetTotalPauseDuration()), unit: "seconds");
    }

    private static void ReportSlowTurns(SampleSink sink, LoopGroup loops)
    {
        foreach (EventLoop loop in loops.Loops)
        {
            for (int limit = 0; limit < LoopMetrics.SlowTurnLimits.Length; limit++)
                sink.Report(loop.Metrics.SlowTurns(limit), Index(loop), LoopMetrics.SlowTurnLimits[limit].TotalSeconds.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static void AddLoops(MetricRegistry metrics, MetricKind kind, string name, string help, LoopGroup loops, Func<EventLoop, long> bytes) =>
        metrics.AddCallback(MetricGroup.Ztunnel, kind, name, help, ["loop"], sink =>
        {
            foreach (EventLoop loop in loops.Loops)
                sink.Report(bytes(loop), Index(loop));
        }, unit: "bytes");

    private static string Index(EventLoop loop) => loop.Index.ToString(CultureInfo.InvariantCulture);

    private static void AddLoops(MetricRegistry metrics, MetricKind kind, string name, string help, LoopGroup loops, Func<LoopMetrics, long> nanoseconds, string unit) =>
        metrics.AddCallback(MetricGroup.Ztunnel, kind, name, help, ["loop"], sink =>
        {
            foreach (EventLoop loop in loops.Loops)
                sink.Report(TimeSpan.FromTicks(nanoseconds(loop.Metrics) / TimeSpan.NanosecondsPerTick), Index(loop));
        }, unit);
}
