using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Process;
using Ztunnel.Tls.Records;

namespace Ztunnel.Lifetime;

/// <summary>
/// Keeps the process small at rest: when the loops have had next to nothing to do for a moment, what connections left on the heap when they came or went is collected, and its pages go back to the system together
/// with those of the program that this work needed. Smaller work, as adding a pod, gives back the program's pages alone. Once after each piece of work.
/// </summary>
/// <remarks>
/// By itself the collector looks at its heap when 17 MiB have been allocated, and keeps the pages then: 9,500 connections leave twice as much garbage as they keep. A smaller young generation would cost traffic all the
/// time, and measured it halves the garbage only.
/// </remarks>
internal sealed class IdleMemory : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    // A share of one period. Keep-alive and scrapes stay below it, a single client in a loop does not.
    private const double RestShare = 0.01;

    private readonly LoopGroup _loops;
    private readonly ITimer _timer;
    private readonly HeapAtRest _heap = new();
    private readonly PagesAtRest _pages = new();
    private long _lastBusy;
    private Task _givingBack = Task.CompletedTask;   // watched by the next look

    public IdleMemory(LoopGroup loops, TimeProvider time)
    {
        _loops = loops;
        _timer = time.CreateTimer(static state => ((IdleMemory)state!).Look(), this, Period, Period);
    }

    private int OpenSockets => _loops.Loops.Sum(static loop => loop.WatchCount);

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        if (!_givingBack.IsCompleted)
            return;

        long busy = _loops.Loops.Sum(static loop => loop.Metrics.BusyNanoseconds);
        bool rests = busy - _lastBusy < Period.TotalNanoseconds * RestShare;
        _lastBusy = busy;
        if (_heap.IsWorthCollecting(rests, GC.GetTotalAllocatedBytes(), OpenSockets))
        {
            _pages.Released(busy);
            _givingBack = GiveBackAsync();
        }
        else if (_pages.IsWorthReleasing(rests, busy))
        {
            ProgramPages.Release();
        }
    }

    private async Task GiveBackAsync()
    {
        await Task.WhenAll(_loops.Loops.Select(ReleaseKeysAsync)).ConfigureAwait(false);
        HeapPages.Release();
        _heap.Collected(GC.GetTotalMemory(forceFullCollection: false), GC.GetTotalAllocatedBytes(), OpenSockets);
        ProgramPages.Release();
    }

    private static Task ReleaseKeysAsync(EventLoop loop)
    {
        var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool accepted = loop.Post(
            static released =>
            {
                TlsSession.ReleaseExpandedKeys();
                ((TaskCompletionSource)released!).SetResult();
            },
            released);
        // A loop that has ended holds none.
        if (!accepted)
            released.SetResult();
        return released.Task;
    }
}
