namespace Ztunnel.Linux.Loop;

/// <summary>One call handed to a loop by another thread.</summary>
internal readonly record struct PostedCall(Delegate Callback, object? State)
{
    public void Invoke()
    {
        if (Callback is Action<object?> action)
        {
            action(State);
        }
        else
        {
            ((SendOrPostCallback)Callback)(State);
        }
    }
}

/// <summary>
/// Calls from any thread, taken by the loop in the order they were added; two lists change places, so nothing is allocated once they have grown.
/// There is no limit here, since a call that was refused would be an await that never returns: posters are bounded instead
/// (one completion for each operation in flight, one change notice for each pod), and the deepest queue seen is a metric.
/// </summary>
internal sealed class PostQueue
{
#if DEBUG
    private const int FirstCapacity = 2; // so that growing happens in tests
#else
    private const int FirstCapacity = 64;
#endif

    // A burst's list is dropped afterwards.
    private const int KeptCapacity = 4096;

    private readonly Lock _lock = new();
    private List<PostedCall> _incoming = new(FirstCapacity); // under _lock
    private List<PostedCall> _taken = new(FirstCapacity);    // the loop's
    private bool _isClosed;                                  // under _lock
    private volatile bool _hasCalls;

    public bool HasCalls => _hasCalls;

    public int DeepestCount { get; private set; }

    /// <summary>False once the loop has ended: the call will never run.</summary>
    public bool TryAdd(PostedCall call)
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return false;
            }

            _incoming.Add(call);
            DeepestCount = Math.Max(DeepestCount, _incoming.Count);
            _hasCalls = true;
            return true;
        }
    }

    /// <summary>Everything added so far; valid until the next call.</summary>
    public List<PostedCall> TakeAll()
    {
        if (_taken.Capacity > KeptCapacity)
        {
            _taken = new List<PostedCall>(FirstCapacity);
        }

        _taken.Clear();
        lock (_lock)
        {
            (_incoming, _taken) = (_taken, _incoming);
            _hasCalls = false;
        }

        return _taken;
    }

    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
        }
    }
}
