using System.Diagnostics;

namespace Ztunnel.Linux.Loop;

/// <summary>One timer of a loop, armed and cancelled any number of times without allocation. Loop thread only. Time counts from the start of the turn it was armed in; from there it never fires early, and up to a millisecond plus a turn late.</summary>
public sealed class LoopTimer : TimerNode
{
    private readonly EventLoop _loop;
    private readonly Action<object?> _callback;
    private readonly object? _state;

    public LoopTimer(EventLoop loop, Action<object?> callback, object? state)
    {
        ArgumentNullException.ThrowIfNull(loop);
        ArgumentNullException.ThrowIfNull(callback);
        _loop = loop;
        _callback = callback;
        _state = state;
    }

    public bool IsArmed => Slot != NotLinked;

    /// <summary>Replaces a due time set before. Zero or less means as soon as possible, but not within this call.</summary>
    public void Arm(TimeSpan due)
    {
        Debug.Assert(_loop.IsCurrent, "timers belong to their loop's thread");
        Cancel();

        // Now is a whole number of milliseconds rounded down: one more makes sure the full time has passed.
        long milliseconds = due <= TimeSpan.Zero ? 0 : (long)Math.Ceiling(due.TotalMilliseconds) + 1;
        _loop.Timers.Add(this, _loop.NowMilliseconds + milliseconds);
    }

    public void Cancel()
    {
        Debug.Assert(_loop.IsCurrent, "timers belong to their loop's thread");
        if (IsArmed)
        {
            _loop.Timers.Remove(this);
        }
    }

    internal void Fire() => _callback(_state);
}
