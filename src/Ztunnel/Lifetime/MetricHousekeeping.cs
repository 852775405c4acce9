using Ztunnel.Linux.Loop;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Lifetime;

/// <summary>Lets metric series disappear in time even when nobody scrapes and loops are idle.</summary>
internal sealed class MetricHousekeeping : IDisposable
{
    // Four looks in a quiet period: a series goes a quarter late at most.
    private const int LooksPerPeriod = 4;

    // Timers reach some fifty days.
    private static readonly TimeSpan LongestPeriod = TimeSpan.FromDays(1);

    private readonly MetricRegistry _metrics;
    private readonly LoopGroup _loops;
    private readonly ITimer _timer;

    public MetricHousekeeping(MetricRegistry metrics, LoopGroup loops, TimeProvider time)
    {
        _metrics = metrics;
        _loops = loops;
        TimeSpan period = metrics.Settings.QuietPeriod / LooksPerPeriod;
        if (period > LongestPeriod)
            period = LongestPeriod;
        _timer = time.CreateTimer(static state => ((MetricHousekeeping)state!).Look(), this, period, period);
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        _metrics.Sweep();
        foreach (EventLoop loop in _loops.Loops)
            loop.Post(static state => ((MetricRegistry)state!).Trim(EventLoop.Current!.Index), _metrics);
    }
}
