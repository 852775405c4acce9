using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Process;

namespace Ztunnel.Lifetime;

/// <summary>
/// Keeps the process small at rest: when the loops have had next to nothing to do for a period, the pages that start, traffic or new pods needed go back to the system. Once after each piece of work; what is needed
/// again is faulted in from the page cache, about 200 faults.
/// </summary>
internal sealed class IdleMemory : IDisposable
{
    private static readonly TimeSpan FirstLook = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(30);

    // A share of one period. Keep-alive and scrapes stay below it, a single client in a loop does not.
    private const double RestShare = 0.002;

    // Work since the last release that is worth another one: scrapes and keep-alives of a period stay below it, adding a pod does not.
    private static readonly TimeSpan Worth = TimeSpan.FromMilliseconds(1);

    private readonly LoopGroup _loops;
    private readonly ITimer _timer;
    private long _lastBusy;
    private long _busyAtRelease = -1;

    public IdleMemory(LoopGroup loops, TimeProvider time)
    {
        _loops = loops;
        _timer = time.CreateTimer(static state => ((IdleMemory)state!).Look(), this, FirstLook, Period);
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        long busy = _loops.Loops.Sum(static loop => loop.Metrics.BusyNanoseconds);
        bool rests = busy - _lastBusy < Period.TotalNanoseconds * RestShare;
        _lastBusy = busy;
        if (!rests || (_busyAtRelease >= 0 && busy - _busyAtRelease < Worth.TotalNanoseconds))
            return;

        _busyAtRelease = busy;
        ProgramPages.Release();
    }
}
