using System.Net;
using Ztunnel.LoadBench.Native;

namespace Ztunnel.LoadBench.Load;

/// <summary>
/// The floor: one thread, edge-triggered epoll, a 256 KiB read and a send, no encryption. A pair of these is what two proxies cost when they do nothing but exist.
/// </summary>
internal sealed class PlainRelay
{
    private const int BufferBytes = 256 * 1024;
    private const uint Events = Epoll.In | Epoll.Out | Epoll.PeerClosed | Epoll.EdgeTriggered;

    /// <summary>Reads of one side in a row before the others have their turn.</summary>
    private const int Quantum = 4;

    private readonly Epoll _epoll = new();
    private readonly IPEndPoint _destination;
    private readonly int _listener;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private readonly Side?[] _sides = new Side?[1 << 18];
    private readonly Queue<Side> _ready = new();

    public PlainRelay(IPEndPoint local, IPEndPoint destination)
    {
        _destination = destination;
        _listener = Tcp.Listen(local);
        _epoll.Add(_listener, Epoll.In);
    }

    /// <summary>Relays until the process is ended.</summary>
    public void Run()
    {
        List<Side> closed = [];
        while (true)
        {
            int count = _epoll.Wait(_ready.Count > 0 ? 0 : -1);
            for (int index = 0; index < count; index++)
            {
                (int fd, uint events) = _epoll[index];
                if (fd == _listener)
                {
                    AcceptAll();
                }
                else if (_sides[fd] is { } side)
                {
                    OnEvent(side, events, closed);
                }
            }

            for (int turns = _ready.Count; turns > 0; turns--)
            {
                Side side = _ready.Dequeue();
                side.IsQueued = false;
                Pump(side, closed);
            }

            // Descriptors are freed after the batch: none of its events can mean a newcomer with the same number.
            closed.ForEach(Close);
            closed.Clear();
        }
    }

    private void AcceptAll()
    {
        for (int fd = Tcp.Accept(_listener); fd >= 0; fd = Tcp.Accept(_listener))
        {
            int other = Tcp.StartConnect(_destination);
            if (other < 0)
            {
                Tcp.Close(fd);
                continue;
            }

            Side near = new(fd);
            Side far = new(other) { Other = near };
            near.Other = far;
            (_sides[fd], _sides[other]) = (near, far);
            _epoll.Add(fd, Events);
            _epoll.Add(other, Events);
        }
    }

    private void OnEvent(Side side, uint events, List<Side> closed)
    {
        if (side.IsClosed)
        {
            return;
        }

        if ((events & (Epoll.In | Epoll.PeerClosed | Epoll.Error | Epoll.HangUp)) != 0)
        {
            side.IsReadable = true;
        }

        if ((events & Epoll.Out) != 0)
        {
            side.IsWritable = true;
            Pump(side.Other, closed);
        }

        Pump(side, closed);
    }

    /// <summary>Moves what `from` has to its other side, as long as both go on.</summary>
    private void Pump(Side from, List<Side> closed)
    {
        Side to = from.Other;
        if (from.IsClosed || !to.IsWritable || !Flush(to, closed))
        {
            return;
        }

        for (int reads = 0; from.IsReadable && !from.IsFinished; reads++)
        {
            if (reads == Quantum)
            {
                Enqueue(from);
                return;
            }

            int received = Tcp.Receive(from.Fd, _buffer);
            if (received == Tcp.WouldBlock)
            {
                from.IsReadable = false;
                return;
            }

            if (received <= 0)
            {
                Finish(from, isFailure: received < 0, closed);
                return;
            }

            if (!Send(to, _buffer.AsSpan(0, received), closed))
            {
                return;
            }
        }
    }

    private static bool Flush(Side to, List<Side> closed)
    {
        if (to.Pending.Length == 0)
        {
            return true;
        }

        ReadOnlyMemory<byte> pending = to.Pending;
        to.Pending = default;
        return Send(to, pending.Span, closed);
    }

    /// <summary>False when not everything went: the rest waits, copied, until the side is writable again.</summary>
    private static bool Send(Side to, ReadOnlySpan<byte> bytes, List<Side> closed)
    {
        int sent = Tcp.Send(to.Fd, bytes);
        if (sent == bytes.Length)
        {
            return true;
        }

        if (sent == Tcp.Failed)
        {
            MarkClosed(to, closed);
            return false;
        }

        to.IsWritable = false;
        to.Pending = bytes[Math.Max(sent, 0)..].ToArray();
        return false;
    }

    private static void Finish(Side from, bool isFailure, List<Side> closed)
    {
        from.IsFinished = true;
        Tcp.ShutdownWrite(from.Other.Fd);
        if (isFailure || from.Other.IsFinished)
        {
            MarkClosed(from, closed);
        }
    }

    private static void MarkClosed(Side side, List<Side> closed)
    {
        if (!side.IsClosed)
        {
            (side.IsClosed, side.Other.IsClosed) = (true, true);
            closed.Add(side);
        }
    }

    private void Enqueue(Side side)
    {
        if (!side.IsQueued)
        {
            side.IsQueued = true;
            _ready.Enqueue(side);
        }
    }

    private void Close(Side side)
    {
        (_sides[side.Fd], _sides[side.Other.Fd]) = (null, null);
        Tcp.Close(side.Fd);
        Tcp.Close(side.Other.Fd);
    }

    private sealed class Side(int fd)
    {
        public int Fd => fd;

        public Side Other { get; set; } = null!;

        public bool IsReadable { get; set; }

        public bool IsWritable { get; set; }

        public bool IsFinished { get; set; }

        public bool IsClosed { get; set; }

        public bool IsQueued { get; set; }

        public ReadOnlyMemory<byte> Pending { get; set; }
    }
}
