using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Process;

namespace Ztunnel.Lifetime;

/// <summary>
/// Keeps the process small at rest: when the loops have had next to nothing to do for a period, the pages that start or traffic needed go back to the system. Once for each rest; what is needed again is faulted in
/// from the page cache, about 200 faults.
/// </summary>
internal sealed class IdleMemory : IDisposable
{
    private static readonly TimeSpan FirstLook = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(30);

    // A share of one period. Keep-alive and scrapes stay below it, a single client in a loop does not.
    private const double RestShare = 0.002;

    private readonly LoopGroup _loops;
    private readonly ITimer _timer;
    private long _lastBusy;
    private bool _hasReleased;

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
        if (rests && !_hasReleased)
            ProgramPages.Release();
        _hasReleased = rests;
    }
}
