using System.Threading.Tasks.Sources;
using Ztunnel.Linux.Loop;

namespace Ztunnel.Proxy.Connections;

/// <summary>
/// Something one waiter on a loop waits for, with a time limit: the continuation runs on the loop, inside <see cref="TrySet"/> or the timer. The first value wins.
/// </summary>
/// <remarks>Loop thread only; awaited at most once.</remarks>
internal sealed class LoopSignal<T> : IValueTaskSource<T>
{
    private readonly LoopTimer? _timer;
    private readonly T _timeoutValue;
    private ManualResetValueTaskSourceCore<T> _core;
    private bool _isSet;

    /// <param name="loop">Where it is waited for.</param>
    /// <param name="timeout">The limit; null for none, where another limit ends the wait.</param>
    /// <param name="timeoutValue">What the waiter gets when the limit passes.</param>
    public LoopSignal(EventLoop loop, TimeSpan? timeout, T timeoutValue)
    {
        _timeoutValue = timeoutValue;
        if (timeout is { } limit)
        {
            _timer = new LoopTimer(loop, static state => ((LoopSignal<T>)state!).OnTimeout(), this);
            _timer.Arm(limit);
        }
    }

    public ValueTask<T> Task => new(this, _core.Version);

    /// <summary>From now on at most this long: the last part of what is waited for has begun.</summary>
    public void Limit(TimeSpan timeout)
    {
        if (!_isSet)
            _timer?.Arm(timeout);
    }

    /// <summary>False when a value was set before.</summary>
    public bool TrySet(T value)
    {
        if (_isSet)
            return false;

        _isSet = true;
        _timer?.Cancel();
        _core.SetResult(value);
        return true;
    }

    T IValueTaskSource<T>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<T>.GetStatus(short token) => _core.GetStatus(token);

    // Without the scheduling flag the core runs the continuation inline instead of posting it to the loop it is on already.
    void IValueTaskSource<T>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags & ~ValueTaskSourceOnCompletedFlags.UseSchedulingContext);

    private void OnTimeout() => TrySet(_timeoutValue);
}
