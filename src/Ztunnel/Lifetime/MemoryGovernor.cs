using Microsoft.Extensions.Logging;
using Ztunnel.Linux.Process;
using Ztunnel.Proxy.Accepting;
using Ztunnel.Settings;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Lifetime;

/// <summary>
/// Watches the memory that is left before the kernel kills the process, and has new connections refused while little is: all connections of a node end when it dies, so those that are open count for more than those that want to come.
/// Looks once a second, ten times as often from half of the limit on; and before as many connections have come as may fit below the mark, since a crowd needs less than a period.
/// </summary>
internal sealed class MemoryGovernor : IDisposable
{
    private static readonly TimeSpan CalmPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WatchfulPeriod = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ReportPeriod = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan CollectPeriod = TimeSpan.FromSeconds(10);

    // From here on memory could be gone before the next calm look: a second of new connections takes some ten MiB.
    private const double WatchfulShare = 0.5;

    // What a new connection may cost at first: a TLS handshake with its objects, or two sockets with bytes in their queues. A crowd that costs more is met by the looks that follow ever faster.
    private const long BytesOfANewConnection = 64 * 1024;

    // A look costs a tenth of a millisecond; and a limit may be set, or lowered, while we run.
    private const int FewestBetweenLooks = 64;
    private const int MostBetweenLooks = 1024;

    // So far below the mark it must fall before connections are let in again: without a distance it would open and close with every look.
    private const double RecoveryShare = 0.9;

    private readonly Func<MemoryUse?> _read;
    private readonly double _refuseShare;
    private readonly AdmissionGate _gate;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ITimer _timer;
    private readonly Lock _judging = new(); // guards what follows
    private MemoryUse? _last;
    private long _reportedAt;
    private long _collectedAt;
    private long _reportedRefusals;

    /// <param name="read">What is used and what may be; null: there is no limit at this moment.</param>
    /// <param name="refusePercent">From this share of the limit on new connections are refused.</param>
    /// <param name="gate">What lets them in.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Who is told.</param>
    public MemoryGovernor(Func<MemoryUse?> read, int refusePercent, AdmissionGate gate, TimeProvider time, ILogger log)
    {
        _read = read;
        _refuseShare = refusePercent / 100.0;
        _gate = gate;
        _time = time;
        _log = log;
        gate.Watch(LookAtACrowd);
        _timer = time.CreateTimer(static state => ((MemoryGovernor)state!).Look(), this, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    // For scrapes, which come at any moment.
    private MemoryUse? Last
    {
        get
        {
            lock (_judging)
                return _last;
        }
    }

    /// <summary>Starts it as the settings say; null where they say that nobody is to watch.</summary>
    public static MemoryGovernor? Start(TuningSettings settings, AdmissionGate gate, MetricRegistry metrics, TimeProvider time, ILoggerFactory loggers)
    {
        if (settings.MemoryRefusePercent == 0)
            return null;
        var governor = new MemoryGovernor(Source(settings.MemoryLimitBytes), settings.MemoryRefusePercent, gate, time, loggers.CreateLogger("ztunnel"));
        governor.AddTo(metrics);
        return governor;
    }

    /// <summary>The limit and what counts against it: that of ZTUNNEL_MEMORY_LIMIT against resident memory, else the memory controller's.</summary>
    internal static Func<MemoryUse?> Source(long limitBytes)
    {
        if (limitBytes > 0)
            return () => new MemoryUse(ProcessStatus.ResidentBytes, limitBytes);
        var group = MemoryCgroup.Find();
        return () => MemoryUse.Nearer(group?.Read(), ReadHeap());
    }

    internal void AddTo(MetricRegistry metrics)
    {
        metrics.AddCallback(
            MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_memory_limit_bytes", "Memory the process may use: ZTUNNEL_MEMORY_LIMIT, else the limit of its control group (unstable)", [],
            sink => { if (Last is { } use) sink.Report(use.LimitBytes); }, unit: "bytes");
        metrics.AddCallback(
            MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_memory_used_bytes", "What counts against that limit, without page cache that is not in use (unstable)", [],
            sink => { if (Last is { } use) sink.Report(use.UsedBytes); }, unit: "bytes");
        metrics.AddCallback(
            MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_memory_short", "1 while new connections are refused because memory is short (unstable)", [], sink => sink.Report(_gate.IsClosed ? 1 : 0));
    }

    public void Dispose() => _timer.Dispose();

    // Under a limit of its group the collector keeps the heap below three quarters of that, and fails allocations at it: a second limit, which the group's numbers do not show.
    private static MemoryUse? ReadHeap()
    {
        GCMemoryInfo info = GC.GetGCMemoryInfo();
        return info.TotalAvailableMemoryBytes > 0 ? new MemoryUse(info.HeapSizeBytes, info.TotalAvailableMemoryBytes) : null;
    }

    private void Look()
    {
        TimeSpan next = CalmPeriod;
        try
        {
            lock (_judging)
                next = TryJudge();
        }
        finally
        {
            _timer.Change(next, Timeout.InfiniteTimeSpan);
        }
    }

    // On a loop: where somebody looks already, it does not wait for that.
    private void LookAtACrowd()
    {
        if (!_judging.TryEnter())
            return;
        try
        {
            TryJudge();
        }
        finally
        {
            _judging.Exit();
        }
    }

    private TimeSpan TryJudge()
    {
        try
        {
            return Judge();
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // The group was removed under us, or /proc cannot be read for want of descriptors: looked at again. Out of a timer it would end the process.
            DaemonLog.MemoryUnreadable(_log, problem.Message);
            return CalmPeriod;
        }
    }

    private TimeSpan Judge()
    {
        _last = _read();
        double share = _last?.Share ?? 0;
        _gate.Allow(_last is { } use ? (int)Math.Clamp(((use.LimitBytes * _refuseShare) - use.UsedBytes) / BytesOfANewConnection, FewestBetweenLooks, MostBetweenLooks) : MostBetweenLooks);
        if (!_gate.IsClosed && share >= _refuseShare)
        {
            _gate.Close();
            Collect();
            Report();
        }
        else if (_gate.IsClosed && share < _refuseShare * RecoveryShare)
        {
            _gate.Open();
            DaemonLog.MemorySuffices(_log, _last?.UsedBytes ?? 0, _last?.LimitBytes ?? 0, _gate.Refused - _reportedRefusals);
            _reportedRefusals = _gate.Refused;
        }
        else if (_gate.IsClosed)
        {
            // With nobody let in little is allocated, and the collector would not come by itself.
            Collect();
            if (_time.GetElapsedTime(_reportedAt) >= ReportPeriod)
                Report();
        }

        return share >= WatchfulShare ? WatchfulPeriod : CalmPeriod;
    }

    // What the heaps hold and do not need is given back, before anybody suffers for long. It stops all threads for some milliseconds: seldom.
    private void Collect()
    {
        if (_collectedAt != 0 && _time.GetElapsedTime(_collectedAt) < CollectPeriod)
            return;
        _collectedAt = _time.GetTimestamp();
        HeapPages.Release();
    }

    private void Report()
    {
        long refused = _gate.Refused;
        DaemonLog.MemoryShort(_log, _last!.Value.UsedBytes, _last.Value.LimitBytes, refused - _reportedRefusals);
        _reportedRefusals = refused;
        _reportedAt = _time.GetTimestamp();
    }
}
