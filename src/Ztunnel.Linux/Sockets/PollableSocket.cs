using System.Diagnostics;
using System.Net;
using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Sockets;

/// <summary>Something that waits for one direction of a socket instead of its handler.</summary>
internal interface IReadinessWaiter
{
    public void OnReady();

    /// <summary>The socket is being closed.</summary>
    public void OnClosed();
}

/// <summary>
/// A socket on one loop, registered once and edge triggered: readiness is remembered here and forgotten when a transfer shows that it is used up.
/// A transfer shorter than asked for means just that, and saves the call that would say EAGAIN; except after the peer has ended its direction (the end is still to be read),
/// and after urgent data (a read stops at the mark although more may follow). Neither comes with another edge.
/// </summary>
public abstract class PollableSocket : LoopWatch, ILoopItem, IDisposable
{
    private const uint WatchedEvents = Libc.EPOLLIN | Libc.EPOLLPRI | Libc.EPOLLOUT | Libc.EPOLLRDHUP | Libc.EPOLLET;
    private const uint BrokenEvents = Libc.EPOLLHUP | Libc.EPOLLERR;

    private ISocketHandler? _handler;
    private Flags _flags;

    private protected PollableSocket(EventLoop loop, int descriptor)
        : base(loop) => Descriptor = descriptor;

    [Flags]
    private enum Flags : byte
    {
        None = 0,
        Readable = 1,
        Writable = 2,
        PeerHungUp = 4,
        Broken = 8,
        EndOfStream = 16,
        UrgentSeen = 32,
        Queued = 64,
    }

    /// <summary>Told of changes. A new handler is told in the next turn what is known already.</summary>
    public ISocketHandler? Handler
    {
        get => _handler;
        set
        {
            _handler = value;
            if (value is not null && (IsReadable || PeerHungUp))
            {
                Loop.EnqueueReady(this);
            }
        }
    }

    public bool IsReadable => Has(Flags.Readable);

    public bool IsWritable => Has(Flags.Writable);

    /// <summary>The peer has ended its direction, or the connection broke. Bytes may still be waiting to be read.</summary>
    public bool PeerHungUp => Has(Flags.PeerHungUp);

    public bool IsClosed => Descriptor < 0;

    public SocketOptions Options => new(Descriptor, this);

    public IPEndPoint LocalEndPoint
    {
        get
        {
            Errno error = NativeAddress.TryReadLocal(Descriptor, out NativeAddress address);
            return error == Errno.None ? address.ToEndPoint() : throw new LinuxException(error, "getsockname");
        }
    }

    bool ILoopItem.IsQueued
    {
        get => Has(Flags.Queued);
        set => Set(Flags.Queued, value);
    }

    internal int Descriptor { get; private set; }

    internal IReadinessWaiter? ReadWaiter { get; private set; }

    internal IReadinessWaiter? WriteWaiter { get; private set; }

    private protected bool HasEnded => Has(Flags.EndOfStream);

    /// <summary>Waits until reading would tell something, so that a buffer need not be rented before. Done with no bytes; Failed with ETIMEDOUT, or ECANCELED when the socket is closed meanwhile.</summary>
    public ValueTask<IoResult> WaitReadableAsync(TimeSpan timeout)
    {
        if (IsClosed)
        {
            return new ValueTask<IoResult>(IoResult.Failed(Errno.ECANCELED));
        }

        return IsReadable || HasEnded ? new ValueTask<IoResult>(IoResult.Moved(0)) : Loop.Operations.Take().WaitReadable(this, timeout);
    }

    /// <summary>Takes the pending error of the socket, so that it is reported once.</summary>
    public Errno TakeError()
    {
        Errno error = Libc.GetOption(Descriptor, Libc.SOL_SOCKET, Libc.SO_ERROR, out int pending);
        return error == Errno.None ? (Errno)pending : error;
    }

    /// <summary>Bytes that were received but not read make the kernel answer the peer with a reset; else it sees the end of data.</summary>
    public void Dispose()
    {
        Debug.Assert(IsClosed || Loop.IsCurrent, "a socket is closed on its loop");
        if (IsClosed)
        {
            return;
        }

        int descriptor = Leave();
        Libc.Close(descriptor);
        GC.SuppressFinalize(this);
    }

    void ILoopItem.Run()
    {
        if (IsClosed)
        {
            return;
        }

        if (IsReadable || PeerHungUp)
        {
            _handler?.OnReadable();
        }

        if (!IsClosed && Has(Flags.Broken))
        {
            _handler?.OnHangup();
        }
    }

    internal sealed override void OnEvents(uint events)
    {
        bool becameWritable = (events & (Libc.EPOLLOUT | BrokenEvents)) != 0 && !IsWritable;
        bool isFirstHangup = (events & (Libc.EPOLLRDHUP | BrokenEvents)) != 0 && !PeerHungUp;
        bool becameReadable = (events & (Libc.EPOLLIN | Libc.EPOLLRDHUP | BrokenEvents)) != 0 && !IsReadable && !HasEnded;
        bool becameBroken = (events & BrokenEvents) != 0 && !Has(Flags.Broken);
        Flags gained = (becameWritable ? Flags.Writable : 0) | (isFirstHangup ? Flags.PeerHungUp : 0) | (becameReadable ? Flags.Readable : 0) | (becameBroken ? Flags.Broken : 0)
            | ((events & Libc.EPOLLPRI) != 0 ? Flags.UrgentSeen : 0);
        _flags |= gained;

        // Writing first: it empties buffers that reading wants to fill. Each of these may close the socket.
        if (becameWritable)
        {
            Deliver(WriteWaiter, static handler => handler.OnWritable());
        }

        if ((becameReadable || isFirstHangup) && !IsClosed)
        {
            Deliver(ReadWaiter, static handler => handler.OnReadable());
        }

        if (becameBroken && !IsClosed)
        {
            _handler?.OnHangup();
        }
    }

    internal sealed override void Abandon() => Dispose();

    internal void AwaitReadable(IReadinessWaiter waiter)
    {
        if (ReadWaiter is not null)
        {
            throw new InvalidOperationException("a socket has one reader at a time");
        }

        ReadWaiter = waiter;
    }

    internal void AwaitWritable(IReadinessWaiter waiter)
    {
        if (WriteWaiter is not null)
        {
            throw new InvalidOperationException("a socket has one writer at a time");
        }

        WriteWaiter = waiter;
    }

    internal void ForgetReader() => ReadWaiter = null;

    internal void ForgetWriter() => WriteWaiter = null;

    private protected Errno Register(bool isWritable)
    {
        Errno error = StartWatching(Descriptor, WatchedEvents);
        Set(Flags.Writable, isWritable && error == Errno.None);
        return error;
    }

    /// <summary>Leaves the loop, with the descriptor still open in the caller's hands. Waiters are answered in the next turn.</summary>
    private int Leave()
    {
        int descriptor = Descriptor;
        StopWatching(descriptor, isClosing: true);
        Descriptor = -1;
        _handler = null;
        Set(Flags.Readable | Flags.Writable, false);
        (IReadinessWaiter? reader, IReadinessWaiter? writer) = (ReadWaiter, WriteWaiter);
        (ReadWaiter, WriteWaiter) = (null, null);
        reader?.OnClosed();
        writer?.OnClosed();
        return descriptor;
    }

    private protected IoResult AfterReceive(SysResult result, int wanted)
    {
        if (result.Value > 0)
        {
            if (result.Value < wanted && (_flags & (Flags.PeerHungUp | Flags.UrgentSeen)) == 0)
            {
                Set(Flags.Readable, false);
            }

            return IoResult.Moved((int)result.Value);
        }

        if (wanted == 0)
        {
            throw new InvalidOperationException("a read into nothing looks like the end of the stream");
        }

        Set(Flags.Readable, false);
        if (!result.Failed)
        {
            Set(Flags.EndOfStream, true);
            return IoResult.EndOfStream;
        }

        return result.Error == Errno.EAGAIN ? IoResult.WouldBlock : IoResult.Failed(result.Error);
    }

    private protected IoResult AfterSend(SysResult result, int wanted)
    {
        if (!result.Failed)
        {
            if (result.Value < wanted)
            {
                Set(Flags.Writable, false);
            }

            return IoResult.Moved((int)result.Value);
        }

        Set(Flags.Writable, false);
        return result.Error == Errno.EAGAIN ? IoResult.WouldBlock : IoResult.Failed(result.Error);
    }

    /// <summary>A datagram is whole or not there: only EAGAIN says that the socket is drained.</summary>
    private protected void MarkDrained() => Set(Flags.Readable, false);

    private protected void MarkFull() => Set(Flags.Writable, false);

    private void Deliver(IReadinessWaiter? waiter, Action<ISocketHandler> tell)
    {
        if (waiter is not null)
        {
            waiter.OnReady();
        }
        else if (_handler is { } handler)
        {
            tell(handler);
        }
    }

    private bool Has(Flags flag) => (_flags & flag) != 0;

    private void Set(Flags flag, bool value) => _flags = value ? _flags | flag : _flags & ~flag;
}
