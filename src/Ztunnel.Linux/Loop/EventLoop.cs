using System.Diagnostics;
using System.Text;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Loop;

/// <summary>
/// One thread that owns connections for life: its epoll, timers, buffers and queues are touched by it alone. Only <see cref="Post"/> and the metrics may be used by others.
/// A turn: wait; descriptors that have events; timers; posted calls; items that stopped because of their quantum; then everything that was marked for flushing.
/// Nothing that runs here may block. What a handler throws is reported and the loop goes on; the connection that threw is its owner's matter.
/// </summary>
public sealed class EventLoop : IDisposable
{
    // An item may be marked for flushing again while flushing; whoever needs more rounds than this waits for the next turn.
    private const int FlushRounds = 4;

    // Calls that run when the loop ends may post more; so many rounds of them are served.
    private const int FinalRounds = 64;

    [ThreadStatic]
    private static EventLoop? CurrentOfThread;

    private readonly Thread _thread;
    private readonly EpollPoller _poller = new();
    private readonly WatchTable _watches = new();
    private readonly LoopItemQueue _ready = new();
    private readonly LoopItemQueue _flush = new();
    private readonly LoopMemory _memory;
    private readonly Action<Exception> _onUnhandledException;

    // Shared with posting threads.
    private readonly PostQueue _posts;
    private volatile bool _stopRequested;

    /// <param name="index">Its place in the group.</param>
    /// <param name="threadName">What the thread is called.</param>
    /// <param name="onUnhandledException">Told on the loop's thread what a handler threw. Without it the process fails fast: state that nobody answers for is worse than a restart.</param>
    public EventLoop(int index, string threadName, Action<Exception>? onUnhandledException = null)
    {
        Index = index;
        NowMilliseconds = Stopwatch.GetTimestamp() / 1_000_000;
        _onUnhandledException = onUnhandledException ?? (static exception => Environment.FailFast("a handler on an event loop failed", exception));
        Timers = new TimerWheel(NowMilliseconds, FireTimer);
        Operations = new SocketOperationPool(this);
        _memory = new LoopMemory(this);
        _posts = new PostQueue(_poller);
        _thread = new Thread(Run) { Name = threadName, IsBackground = true };
    }

    /// <summary>The loop whose thread this is, if any.</summary>
    public static EventLoop? Current => CurrentOfThread;

    public int Index { get; }

    public bool IsCurrent => CurrentOfThread == this;

    public BufferPool Buffers => _memory.Buffers;

    /// <summary>200 KiB to receive into, valid until the handler returns or awaits.</summary>
    public NativeBuffer ReceiveScratch => _memory.ReceiveScratch;

    /// <summary>200 KiB to build output in, valid until the handler returns or awaits.</summary>
    public NativeBuffer SendScratch => _memory.SendScratch;

    /// <summary>Monotonic; read once in each turn, when the wait has ended.</summary>
    public long NowMilliseconds { get; private set; }

    public LoopMetrics Metrics { get; } = new();

    /// <summary>Sockets and listeners this loop watches now.</summary>
    public int WatchCount => _watches.Count;

    /// <summary>Timers that are armed now.</summary>
    public int ArmedTimers => Timers.Count;

    internal TimerWheel Timers { get; }

    internal SocketOperationPool Operations { get; }

    public void Start() => _thread.Start();

    /// <summary>From now until a moment on the clock of <see cref="NowMilliseconds"/>: nothing when that has passed, at most what a timer can wait.</summary>
    public TimeSpan TimeLeft(long deadlineMilliseconds) => TimeSpan.FromMilliseconds(Math.Clamp(deadlineMilliseconds - NowMilliseconds, 0, int.MaxValue));

    /// <summary>Ends the loop after its current turn and waits for that, unless called by the loop itself. Sockets it still has are closed, their waiters answered.</summary>
    public void Stop()
    {
        _stopRequested = true;
        if (IsCurrent || !_thread.IsAlive)
        {
            return;
        }

        _poller.Wake();
        _thread.Join();
    }

    public void Dispose()
    {
        if (IsCurrent)
        {
            throw new InvalidOperationException($"loop {Index} cannot dispose of itself while it runs");
        }

        if (_thread.IsAlive)
        {
            Stop();
        }

        _posts.Close();
        _poller.Dispose();
        _memory.Dispose();
    }

    /// <summary>Runs a call on this loop, after all posted before it. From any thread. False if the loop has ended, and the call will never run.</summary>
    public bool Post(Action<object?> callback, object? state) => AddPost(new PostedCall(callback, state));

    /// <summary>Runs the item again in the next turn, which then does not wait.</summary>
    public void EnqueueReady(ILoopItem item)
    {
        Debug.Assert(IsCurrent, "items belong to their loop's thread");
        _ready.Enqueue(item);
    }

    /// <summary>Runs the item when this turn ends.</summary>
    public void EnqueueFlush(ILoopItem item)
    {
        Debug.Assert(IsCurrent, "items belong to their loop's thread");
        _flush.Enqueue(item);
    }

    /// <summary>For the synchronization context, whose delegate type differs.</summary>
    internal bool PostContinuation(SendOrPostCallback callback, object? state) => AddPost(new PostedCall(callback, state));

    internal Errno Watch(LoopWatch watch, int descriptor, uint events)
    {
        if (!IsCurrent)
        {
            throw new InvalidOperationException($"loop {Index} is asked to watch a descriptor by a thread that is not its own");
        }

        ulong data = _watches.Add(watch);
        Errno error = _poller.Add(descriptor, events, data);
        if (error != Errno.None)
        {
            _watches.Remove(watch);
        }

        return error;
    }

    internal void Unwatch(LoopWatch watch, int descriptor, bool isClosing)
    {
        Debug.Assert(IsCurrent, "a watch belongs to its loop's thread");
        if (watch.Slot == WatchTable.NoSlot)
        {
            return;
        }

        _watches.Remove(watch);
        if (!isClosing)
        {
            _poller.Remove(descriptor);
        }
    }

    internal void ReportUnhandled(Exception exception) => _onUnhandledException(exception);

    private bool AddPost(PostedCall call)
    {
        ArgumentNullException.ThrowIfNull(call.Callback);
        return _posts.TryAdd(call, IsCurrent);
    }

    private void Run()
    {
        CurrentOfThread = this;
        // Native code gets no name from the runtime, and top, perf and gdb would show every thread under that of the process.
        Libc.NameThread(Encoding.UTF8.GetBytes(_thread.Name + '\0'));
        SynchronizationContext.SetSynchronizationContext(new LoopSynchronizationContext(this));
        long now = Stopwatch.GetTimestamp();
        while (!_stopRequested)
        {
            now = RunTurn(now);
        }

        AbandonEverything();
    }

    private long RunTurn(long nowTimestamp)
    {
        int events = _poller.Wait(WaitMilliseconds(nowTimestamp));
        long started = Stopwatch.GetTimestamp();
        NowMilliseconds = started / 1_000_000;
        Metrics.TurnStarted(started, events);

        DispatchEvents(events);
        Timers.Advance(NowMilliseconds);
        RunPosts();
        RunItems(_ready, _ready.Count);
        for (int round = 0; round < FlushRounds && _flush.Count > 0; round++)
        {
            RunItems(_flush, _flush.Count);
        }

        _memory.ScheduleTrim();
        long ended = Stopwatch.GetTimestamp();
        Metrics.TurnEnded(ended);
        return ended;
    }

    private int WaitMilliseconds(long nowTimestamp)
    {
        if (_ready.Count > 0 || _flush.Count > 0 || _posts.HasCalls)
        {
            return 0;
        }

        if (Timers.NextMilliseconds() is not { } next)
        {
            return -1;
        }

        // Rounded up: waking a moment before the millisecond begins would only mean one more turn.
        long nanoseconds = (next * 1_000_000) - nowTimestamp;
        return nanoseconds <= 0 ? 0 : (int)Math.Min((nanoseconds + 999_999) / 1_000_000, int.MaxValue);
    }

    private void DispatchEvents(int count)
    {
        for (int index = 0; index < count; index++)
        {
            _poller.Read(index, out uint events, out ulong data);
            if (data == EpollPoller.WakeData || _watches.Find(data) is not { } watch)
            {
                continue;
            }

            try
            {
                watch.OnEvents(events);
            }
            catch (Exception exception) // whatever a handler throws must not end the loop of all the others
            {
                ReportUnhandled(exception);
            }
        }
    }

    private void FireTimer(TimerNode node)
    {
        Metrics.TimersFired++;
        try
        {
            ((LoopTimer)node).Fire();
        }
        catch (Exception exception) // as above
        {
            ReportUnhandled(exception);
        }
    }

    private void RunPosts()
    {
        List<PostedCall> calls = _posts.TakeAll();
        Metrics.Posts += calls.Count;
        foreach (PostedCall call in calls)
        {
            try
            {
                call.Invoke();
            }
            catch (Exception exception) // as above
            {
                ReportUnhandled(exception);
            }
        }

        calls.Clear();
    }

    private void RunItems(LoopItemQueue queue, int count)
    {
        for (; count > 0; count--)
        {
            ILoopItem item = queue.Dequeue();
            try
            {
                item.Run();
            }
            catch (Exception exception) // as above
            {
                ReportUnhandled(exception);
            }
        }
    }

    private void AbandonEverything()
    {
        AbandonWatches();
        for (int round = 0; round < FinalRounds && (_ready.Count > 0 || _posts.HasCalls); round++)
        {
            RunPosts();
            RunItems(_ready, _ready.Count);
        }

        _posts.Close();
        RunPosts();
        AbandonWatches();
    }

    private void AbandonWatches()
    {
        while (_watches.FindAny() is { } watch)
        {
            watch.Abandon();
        }
    }
}
