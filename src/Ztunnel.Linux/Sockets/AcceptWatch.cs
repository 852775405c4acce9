using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Sockets;

/// <summary>
/// One loop's part in a listener. Registered edge triggered and exclusive: the kernel wakes one loop that waits, for each new connection.
/// An edge may stand for several connections, so accepting goes on until the queue is empty, a batch at a time.
/// </summary>
internal sealed class AcceptWatch : LoopWatch, ILoopItem
{
    // Between batches the loop's other connections have their turn, and other loops may help.
    private const int BatchConnections = 16;

    // The longest queue there can be, several times over: clients that keep coming must not keep a stopping listener alive.
    private const int FinalConnections = 1024;

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(1);

    private readonly ListenerSocket _listener;
    private readonly int _descriptor;
    private readonly IAcceptHandler _handler;
    private readonly ReportGate _reports;
    private readonly LoopTimer _pause;
    private TimeSpan _delay = FirstDelay;
    private bool _hasLeft;

    public AcceptWatch(EventLoop loop, ListenerSocket listener, int descriptor, IAcceptHandler handler, ReportGate reports)
        : base(loop)
    {
        _listener = listener;
        _descriptor = descriptor;
        _handler = handler;
        _reports = reports;
        _pause = new LoopTimer(loop, static self => ((AcceptWatch)self!).AcceptBatch(), this);
    }

    private enum AcceptOutcome
    {
        Accepted,
        Empty,
        Skipped,
        Exhausted,
    }

    bool ILoopItem.IsQueued { get; set; }

    void ILoopItem.Run() => AcceptBatch();

    /// <summary>On the loop's thread. A refusal (the system's limit of watches) is treated like any other shortage: reported, tried again.</summary>
    public void Join()
    {
        if (_hasLeft)
        {
            return;
        }

        Errno error = StartWatching(_descriptor, Libc.EPOLLIN | Libc.EPOLLET | Libc.EPOLLEXCLUSIVE);
        if (error != Errno.None)
        {
            PauseAfter(error);
        }
    }

    /// <summary>On the loop's thread; any number of times. The last loop that leaves closes the listener, after it has taken what still waits in the queue.</summary>
    public void Leave()
    {
        if (_hasLeft)
        {
            return;
        }

        _hasLeft = true;
        _pause.Cancel();
        StopWatching(_descriptor, isClosing: false);
        _listener.OnLeft(this);
    }

    /// <summary>From any thread, when the loop has ended and will never run <see cref="Leave"/>. True once, if it had not left by itself.</summary>
    public bool TryLeaveEndedLoop() => !Interlocked.Exchange(ref _hasLeft, true);

    public void DrainQueue()
    {
        for (int count = 0; count < FinalConnections; count++)
        {
            if (AcceptOne() is AcceptOutcome.Empty or AcceptOutcome.Exhausted)
            {
                return;
            }
        }
    }

    internal override void OnEvents(uint events) => AcceptBatch();

    internal override void Abandon() => Leave();

    // A connection that died in the queue, or that the firewall forbids: accept(2). Everything else (no descriptors, no memory) would only come again at once.
    private static bool IsOfOneConnection(Errno error) => error is Errno.ECONNABORTED or Errno.EPERM or Errno.EPROTO or Errno.ENOPROTOOPT or Errno.ENETDOWN or Errno.ENETUNREACH
        or Errno.EHOSTDOWN or Errno.EHOSTUNREACH or Errno.ENONET or Errno.ETIMEDOUT or Errno.ECONNRESET;

    private void AcceptBatch()
    {
        if (_hasLeft || _pause.IsArmed)
        {
            return;
        }

        if (Slot == WatchTable.NoSlot)
        {
            Join();
        }

        for (int count = 0; count < BatchConnections; count++)
        {
            switch (AcceptOne())
            {
                case AcceptOutcome.Empty:
                    return;
                case AcceptOutcome.Exhausted:
                    return;
                case AcceptOutcome.Accepted:
                    _delay = FirstDelay;
                    break;
                default:
                    break;
            }

            if (_hasLeft)
            {
                return;
            }
        }

        Loop.EnqueueReady(this);
    }

    private unsafe AcceptOutcome AcceptOne()
    {
        NativeAddress remote = default;
        SysResult result;
        fixed (byte* bytes = remote.Bytes)
        {
            uint length = NativeAddress.MaximumBytes;
            result = Libc.Accept(_descriptor, bytes, &length, Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC);
        }

        if (!result.Failed)
        {
            EventLoop loop = _handler.ChooseLoop(Loop);
            var socket = new LoopSocket(loop, (int)result.Value, remote.ToEndPoint());
            if (loop != Loop)
            {
                Move(socket);
                return AcceptOutcome.Accepted;
            }

            Errno error = socket.StartConnected();
            if (error != Errno.None)
            {
                PauseAfter(error);
                return AcceptOutcome.Exhausted;
            }

            HandOver(socket);
            return AcceptOutcome.Accepted;
        }

        if (result.Error == Errno.EAGAIN)
        {
            return AcceptOutcome.Empty;
        }

        if (IsOfOneConnection(result.Error))
        {
            return AcceptOutcome.Skipped;
        }

        PauseAfter(result.Error);
        return AcceptOutcome.Exhausted;
    }

    private void HandOver(LoopSocket socket)
    {
        try
        {
            _handler.OnAccepted(socket.Loop, socket);
        }
        catch (Exception exception) // one connection's failure must not keep the others in the queue: no edge would announce them again
        {
            socket.Dispose();
            socket.Loop.ReportUnhandled(exception);
        }
    }

    // No loop watches the socket yet: the other one begins with it as if it had accepted it.
    private void Move(LoopSocket socket)
    {
        bool posted = socket.Loop.Post(static state =>
        {
            (AcceptWatch watch, LoopSocket socket) = ((AcceptWatch, LoopSocket))state!;
            if (socket.StartConnected() == Errno.None)
            {
                watch.HandOver(socket);
            }
        }, (this, socket));
        if (!posted)
        {
            socket.Dispose();
        }
    }

    private void PauseAfter(Errno error)
    {
        TimeSpan delay = _delay;
        _delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay;
        if (!_hasLeft)
        {
            _pause.Arm(delay);
        }

        if (_reports.TryPass(Loop.NowMilliseconds, out long suppressed))
        {
            _handler.OnAcceptError(Loop, error, new AcceptBackoff(delay, suppressed));
        }
    }
}
