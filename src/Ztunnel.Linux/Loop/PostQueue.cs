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
/// (one completion for each operation in flight, one change notice for each pod).
/// </summary>
internal sealed class PostQueue(EpollPoller poller)
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

    // 1 from before a wake-up is sent until the loop has seen it. Only who turns it from 0 to 1 pays for the system call.
    private int _wakePending;

    public bool HasCalls => _hasCalls;

    /// <summary>False once the loop has ended: the call will never run. The loop itself looks here before it waits, and needs no wake-up.</summary>
    public bool TryAdd(PostedCall call, bool isLoopThread)
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return false;
            }

            _incoming.Add(call);
            _hasCalls = true;
        }

        if (!isLoopThread && Interlocked.Exchange(ref _wakePending, 1) == 0)
        {
            poller.Wake();
        }

        return true;
    }

    /// <summary>Everything added so far; valid until the next call, which is at least one each turn.</summary>
    public List<PostedCall> TakeAll()
    {
        // Before looking, and even if nothing is there: a wake-up may arrive a turn after its call was taken. Were its mark left standing, no later poster would wake the loop.
        if (Volatile.Read(ref _wakePending) != 0)
        {
            Interlocked.Exchange(ref _wakePending, 0);
        }

        if (_taken.Capacity > KeptCapacity)
        {
            _taken = new List<PostedCall>(FirstCapacity);
        }

        _taken.Clear();
        if (!_hasCalls)
        {
            return _taken;
        }

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
