using System.Net;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Sockets;

/// <summary>A datagram that was received, or why none was. <see cref="IsTruncated"/>: it was longer than the buffer, and the rest is gone.</summary>
public readonly record struct DatagramResult(IoResult Result, NativeAddress Sender, bool IsTruncated)
{
    /// <summary>Where it was sent to, if the socket is bound to all addresses.</summary>
    public LocalAddress Destination { get; init; }

    public static DatagramResult Failed(Errno error) => new(IoResult.Failed(error), default, false);
}

/// <summary>A UDP socket on one loop. Reading and writing allocate nothing; a sender's address is kept by value, so that it can be answered without making an endpoint object.</summary>
public sealed class UdpSocket : PollableSocket
{
    private readonly System.Net.Sockets.AddressFamily _family;
    private readonly bool _tellsDestination;

    private UdpSocket(EventLoop loop, SocketHandle handle)
        : base(loop, handle.Release())
    {
        _family = handle.Family;
        _tellsDestination = handle.TellsDestination;
    }

    /// <summary>Takes over a bound or unbound socket. On the loop's thread.</summary>
    public static UdpSocket Attach(EventLoop loop, SocketHandle handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        var socket = new UdpSocket(loop, handle);
        Errno error = socket.Register(isWritable: true);
        if (error != Errno.None)
        {
            socket.Dispose();
            throw new LinuxException(error, "watch a UDP socket");
        }

        return socket;
    }

    /// <summary>From here on datagrams go to and come from this address only, and what the network says about them (ECONNREFUSED) is reported.</summary>
    public unsafe Errno Connect(IPEndPoint remote)
    {
        NativeAddress address = NativeAddress.From(remote, _family);
        fixed (byte* bytes = address.Bytes)
        {
            return Libc.Connect(Descriptor, bytes, address.Length).Error;
        }
    }

    public NativeAddress AddressOf(IPEndPoint endPoint) => NativeAddress.From(endPoint, _family);

    /// <summary>One datagram. An empty one is Done with no bytes.</summary>
    public unsafe DatagramResult Receive(Span<byte> destination)
    {
        NativeAddress sender = default;
        LocalAddress local = default;
        uint length = NativeAddress.MaximumBytes;
        SysResult result;
        fixed (byte* buffer = destination)
        fixed (byte* address = sender.Bytes)
        {
            // MSG_TRUNC: the answer is the datagram's own length, which shows when it was cut.
            result = _tellsDestination
                ? ReceiveMessage(buffer, destination.Length, address, &length, out local)
                : Libc.ReceiveFrom(Descriptor, buffer, (nuint)destination.Length, Libc.MSG_TRUNC, address, &length);
        }

        if (result.Failed)
        {
            if (result.Error != Errno.EAGAIN)
            {
                return DatagramResult.Failed(result.Error); // an error of one datagram: others may wait behind it
            }

            MarkDrained();
            return new DatagramResult(IoResult.WouldBlock, default, false);
        }

        sender.Length = length;
        return new DatagramResult(IoResult.Moved((int)Math.Min(result.Value, destination.Length)), sender, result.Value > destination.Length) { Destination = local };
    }

    /// <summary>To the address the socket is connected to.</summary>
    public unsafe IoResult Send(ReadOnlySpan<byte> datagram)
    {
        fixed (byte* bytes = datagram)
        {
            return AfterDatagram(Libc.Send(Descriptor, bytes, (nuint)datagram.Length));
        }
    }

    /// <param name="datagram">What is sent.</param>
    /// <param name="receiver">Whom to.</param>
    /// <param name="from">Which of our addresses it leaves from.</param>
    public unsafe IoResult SendTo(ReadOnlySpan<byte> datagram, NativeAddress receiver, in LocalAddress from)
    {
        if (!from.IsKnown)
        {
            return SendTo(datagram, receiver);
        }

        byte* control = stackalloc byte[LocalAddress.ControlBytes];
        fixed (byte* bytes = datagram)
        fixed (byte* address = receiver.Bytes)
        {
            var vector = new IoVector { Base = (nint)bytes, Length = (nuint)datagram.Length };
            var message = new MessageHeader { Name = address, NameLength = receiver.Length, Vectors = &vector, VectorCount = 1, Control = control, ControlLength = (nuint)from.Write(control) };
            return AfterDatagram(Libc.SendMessage(Descriptor, &message));
        }
    }

    public unsafe IoResult SendTo(ReadOnlySpan<byte> datagram, NativeAddress receiver)
    {
        fixed (byte* bytes = datagram)
        fixed (byte* address = receiver.Bytes)
        {
            return AfterDatagram(Libc.SendTo(Descriptor, bytes, (nuint)datagram.Length, address, receiver.Length));
        }
    }

    /// <summary>Waits for one datagram; Failed with ETIMEDOUT when none comes.</summary>
    public async ValueTask<DatagramResult> ReceiveAsync(NativeBuffer buffer, TimeSpan timeout)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        long deadline = Loop.NowMilliseconds + (long)timeout.TotalMilliseconds;
        while (!IsClosed)
        {
            DatagramResult datagram = Receive(buffer.Span);
            if (datagram.Result.Status != IoStatus.WouldBlock)
            {
                return datagram;
            }

            IoResult ready = await WaitReadableAsync(Loop.TimeLeft(deadline));
            if (ready.Status == IoStatus.Failed)
            {
                return DatagramResult.Failed(ready.Error);
            }
        }

        return DatagramResult.Failed(Errno.ECANCELED);
    }

    private unsafe SysResult ReceiveMessage(byte* buffer, int length, byte* sender, uint* senderLength, out LocalAddress local)
    {
        byte* control = stackalloc byte[LocalAddress.ControlBytes];
        var vector = new IoVector { Base = (nint)buffer, Length = (nuint)length };
        var message = new MessageHeader { Name = sender, NameLength = *senderLength, Vectors = &vector, VectorCount = 1, Control = control, ControlLength = LocalAddress.ControlBytes };
        SysResult result = Libc.ReceiveMessage(Descriptor, &message, Libc.MSG_TRUNC);
        *senderLength = message.NameLength;
        local = result.Failed ? default : LocalAddress.Read(message);
        return result;
    }

    private IoResult AfterDatagram(SysResult result)
    {
        if (!result.Failed)
        {
            return IoResult.Moved((int)result.Value);
        }

        if (result.Error != Errno.EAGAIN)
        {
            return IoResult.Failed(result.Error);
        }

        MarkFull();
        return IoResult.WouldBlock;
    }
}
