using System.Net;
using System.Runtime.InteropServices;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Sockets;

/// <summary>
/// A TCP socket on one loop. Established connections are driven by <see cref="PollableSocket.Handler"/> and the synchronous calls, which allocate nothing;
/// the awaitable ones are for setting a connection up, where each step has a time limit.
/// </summary>
public sealed class LoopSocket : PollableSocket
{
    private IPEndPoint? _remote;
    private bool _resetsWhenClosed;

    internal LoopSocket(EventLoop loop, int descriptor, IPEndPoint? remote)
        : base(loop, descriptor) => _remote = remote;

    /// <summary>Canonical. Known from accept or connect, so it can still be named when the connection is gone.</summary>
    public IPEndPoint RemoteEndPoint
    {
        get
        {
            if (_remote is null)
            {
                Errno error = NativeAddress.TryReadPeer(Descriptor, out NativeAddress address);
                _remote = error == Errno.None ? address.ToEndPoint() : throw new LinuxException(error, "getpeername");
            }

            return _remote;
        }
    }

    /// <summary>Takes over a connected socket. On the loop's thread.</summary>
    public static LoopSocket Attach(EventLoop loop, SocketHandle handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        var socket = new LoopSocket(loop, handle.Release(), remote: null);
        Errno error = socket.StartConnected();
        return error == Errno.None ? socket : throw new LinuxException(error, "watch a socket");
    }

    /// <summary>Connects on the loop's thread and takes the socket over, whatever comes of it. ECANCELED if the token was cancelled first.</summary>
    public static ValueTask<ConnectResult> ConnectAsync(EventLoop loop, SocketHandle handle, IPEndPoint remote, TimeSpan timeout, CancellationToken ct) =>
        ConnectOperation.Start(loop, handle, remote, timeout, ct);

    /// <summary>How the connection's way looks to the kernel; null when it cannot tell, or the socket is closed.</summary>
    public TcpInfo? ReadTcpInfo() => TcpInfo.Read(Descriptor);

    /// <summary>The shortest round trip of the last minutes (<c>tcpi_min_rtt</c>); null when the kernel has no sample. Allocates nothing.</summary>
    public TimeSpan? ReadShortestRoundTrip() => TcpInfo.ReadShortestRoundTrip(Descriptor);

    public unsafe IoResult Receive(Span<byte> destination)
    {
        if (HasEnded)
        {
            return IoResult.EndOfStream;
        }

        fixed (byte* buffer = destination)
        {
            return AfterReceive(Libc.Receive(Descriptor, buffer, (nuint)destination.Length), destination.Length);
        }
    }

    public unsafe IoResult Receive(ref IoVectors vectors)
    {
        if (HasEnded)
        {
            return IoResult.EndOfStream;
        }

        fixed (IoVector* first = vectors)
        {
            // One piece is what small messages need, and recv spares the kernel the import of a vector (bench/profiles: 2.5 % of the CPU of an echo, with send below).
            SysResult received = vectors.Count == 1
                ? Libc.Receive(Descriptor, (byte*)first->Base, first->Length)
                : Libc.ReadVector(Descriptor, first, vectors.Count);
            return AfterReceive(received, vectors.TotalBytes);
        }
    }

    public unsafe IoResult Send(ReadOnlySpan<byte> source)
    {
        fixed (byte* buffer = source)
        {
            return AfterSend(Libc.Send(Descriptor, buffer, (nuint)source.Length), source.Length);
        }
    }

    /// <summary>The vectors are not changed: after a partial send, <see cref="IoVectors.Consume"/> what left.</summary>
    public unsafe IoResult Send(ref IoVectors vectors)
    {
        fixed (IoVector* first = vectors)
        {
            if (vectors.Count == 1)
                return AfterSend(Libc.Send(Descriptor, (byte*)first->Base, first->Length), vectors.TotalBytes);

            // sendmsg, since writev cannot be told to leave SIGPIPE alone.
            var message = new MessageHeader { Vectors = first, VectorCount = (nuint)vectors.Count };
            return AfterSend(Libc.SendMessage(Descriptor, &message), vectors.TotalBytes);
        }
    }

    /// <summary>Reads once, waiting for something to read. The buffer stays the caller's.</summary>
    public ValueTask<IoResult> ReceiveAsync(NativeBuffer buffer, int offset, TimeSpan timeout)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        if (IsClosed)
        {
            return new ValueTask<IoResult>(IoResult.Failed(Errno.ECANCELED));
        }

        if (IsReadable || HasEnded)
        {
            IoResult result = Receive(buffer.Span[offset..]);
            if (result.Status != IoStatus.WouldBlock)
            {
                return new ValueTask<IoResult>(result);
            }
        }

        return Loop.Operations.Take().Receive(this, buffer, offset, timeout);
    }

    /// <summary>Sends all of it within the time limit.</summary>
    public ValueTask<IoResult> SendAllAsync(NativeBuffer buffer, int offset, int length, TimeSpan timeout)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        if (IsClosed)
        {
            return new ValueTask<IoResult>(IoResult.Failed(Errno.ECANCELED));
        }

        int sent = 0;
        if (IsWritable)
        {
            IoResult result = Send(buffer.Slice(offset, length));
            if (result.Status == IoStatus.Failed || result.Bytes == length)
            {
                return new ValueTask<IoResult>(result);
            }

            sent = result.Bytes;
        }

        return Loop.Operations.Take().SendAll(this, buffer, offset, length, sent, timeout);
    }

    /// <summary>Ends our direction behind what was sent.</summary>
    public Errno ShutdownWrite() => Libc.Shutdown(Descriptor, Libc.SHUT_WR).Error;

    /// <summary>
    /// From here on the peer sees a reset unless <see cref="CloseInOrder"/> is called: also when the process is killed and the kernel closes the socket, which would otherwise look like an orderly end
    /// of what may be half a message.
    /// </summary>
    public void ResetUnlessClosedInOrder() => _resetsWhenClosed = SetLinger(isReset: true) == Errno.None;

    /// <summary>Closes; what was sent still reaches the peer, followed by the end of data.</summary>
    public void CloseInOrder()
    {
        if (_resetsWhenClosed)
        {
            SetLinger(isReset: false);
        }

        Dispose();
    }

    /// <summary>Closes so that the peer sees a reset, whatever was sent or received.</summary>
    public void CloseWithReset()
    {
        if (!_resetsWhenClosed)
        {
            SetLinger(isReset: true);
        }

        Dispose();
    }

    /// <summary>SO_ORIGINAL_DST at the IPv4 level, then at the IPv6 level (data-path 1.7). The first also serves IPv4 clients of a dual-stack listener.</summary>
    public OriginalDestinationResult ReadOriginalDestination()
    {
        Errno error = TryReadOriginalDestination(Libc.SOL_IP, out NativeAddress address);
        if (error != Errno.None)
        {
            error = TryReadOriginalDestination(Libc.SOL_IPV6, out address);
        }

        return error == Errno.None ? new OriginalDestinationResult(address.ToEndPoint(), Errno.None) : new OriginalDestinationResult(null, error);
    }

    internal Errno StartConnected()
    {
        Errno error = Register(isWritable: true);
        if (error != Errno.None)
        {
            Dispose();
        }

        return error;
    }

    /// <summary>For a socket that still connects: writable only once the kernel says so.</summary>
    internal Errno StartConnecting() => Register(isWritable: false);

    // A linger time of zero drops what is not sent and has the kernel say so by a reset (socket(7)).
    private Errno SetLinger(bool isReset)
    {
        // struct linger { on, seconds }
        Span<int> linger = [isReset ? 1 : 0, 0];
        return Libc.SetOption(Descriptor, Libc.SOL_SOCKET, Libc.SO_LINGER, MemoryMarshal.AsBytes(linger));
    }

    private Errno TryReadOriginalDestination(int level, out NativeAddress address)
    {
        address = default;
        return Libc.GetOption(Descriptor, level, Libc.SO_ORIGINAL_DST, address.Bytes, out _);
    }
}
