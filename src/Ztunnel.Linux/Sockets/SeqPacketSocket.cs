using System.Runtime.InteropServices;
using System.Text;
using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Sockets;

/// <summary>
/// A Unix SOCK_SEQPACKET connection: messages keep their bounds and may carry descriptors (control-path 8.1).
/// Blocking with time limits, for a thread of its own; <see cref="Shutdown"/> from another thread ends a wait.
/// </summary>
public sealed class SeqPacketSocket : IDisposable
{
    private const int ListenBacklog = 16;
    private const int LongestPathBytes = 107; // sun_path holds 108, with the terminating zero
    private const int PathOffset = 2;

    private readonly DescriptorHandle _handle;
    private readonly string _name;
    private volatile bool _isShutDown;

    private SeqPacketSocket(DescriptorHandle handle, string name)
    {
        _handle = handle;
        _name = name;
    }

    public static SeqPacketSocket Connect(string path, TimeSpan timeout)
    {
        SeqPacketSocket socket = Open(path);
        try
        {
            socket.ConnectTo(path, new PollDeadline(timeout));
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The path must not exist yet; who made it removes it.</summary>
    public static unsafe SeqPacketSocket Listen(string path)
    {
        SeqPacketSocket socket = Open(path);
        try
        {
            byte[] address = AddressOf(path);
            fixed (byte* bytes = address)
            {
                Libc.Bind(socket._handle.Descriptor, bytes, (uint)address.Length).OrThrow($"bind {path}");
            }

            Libc.Listen(socket._handle.Descriptor, ListenBacklog).OrThrow($"listen on {path}");
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Null when nobody came in time, or the socket was shut down.</summary>
    public unsafe SeqPacketSocket? Accept(TimeSpan timeout)
    {
        var deadline = new PollDeadline(timeout);
        while (true)
        {
            SysResult accepted = Libc.Accept(_handle.Descriptor, null, null, Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC);
            if (!accepted.Failed)
            {
                return new SeqPacketSocket(new DescriptorHandle((int)accepted.Value), _name);
            }

            // A listener that was shut down polls as readable and still answers EAGAIN.
            if (_isShutDown)
            {
                return null;
            }

            ThrowUnlessWouldBlock(accepted.Error, $"accept on {_name}");
            if (!deadline.Wait(_handle, Libc.POLLIN))
            {
                return null;
            }
        }
    }

    /// <summary>
    /// The next message; every descriptor that came with it is owned by the result before anything is judged. EndOfStream when the peer (or <see cref="Shutdown"/>) ended the connection,
    /// Failed with ETIMEDOUT when nothing came in time. A message without a single byte cannot be told from the end; nobody sends such.
    /// </summary>
    public unsafe SeqPacketMessage Receive(Span<byte> buffer, TimeSpan timeout)
    {
        var deadline = new PollDeadline(timeout);
        byte* control = stackalloc byte[ControlMessages.MaximumBytes];
        while (true)
        {
            fixed (byte* bytes = buffer)
            {
                var vector = new IoVector { Base = (nint)bytes, Length = (nuint)buffer.Length };
                var header = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = ControlMessages.MaximumBytes };
                SysResult received = Libc.ReceiveMessage(_handle.Descriptor, &header, Libc.MSG_CMSG_CLOEXEC);
                if (!received.Failed)
                {
                    return SeqPacketMessage.Own((int)received.Value, in header);
                }

                if (received.Error != Errno.EAGAIN)
                {
                    return SeqPacketMessage.Failed(received.Error);
                }
            }

            if (!deadline.Wait(_handle, Libc.POLLIN))
            {
                return SeqPacketMessage.Failed(Errno.ETIMEDOUT);
            }
        }
    }

    /// <summary>One message with the descriptors; the caller keeps its own. ETIMEDOUT when the peer did not take it in time.</summary>
    public unsafe Errno Send(ReadOnlySpan<byte> message, ReadOnlySpan<DescriptorHandle> descriptors, TimeSpan timeout)
    {
        var deadline = new PollDeadline(timeout);
        byte* control = stackalloc byte[ControlMessages.MaximumBytes];
        int controlBytes = ControlMessages.Write(control, descriptors);
        fixed (byte* bytes = message)
        {
            var vector = new IoVector { Base = (nint)bytes, Length = (nuint)message.Length };
            while (true)
            {
                var header = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = controlBytes == 0 ? null : control, ControlLength = (nuint)controlBytes };
                SysResult sent = Libc.SendMessage(_handle.Descriptor, &header);
                if (sent.Error != Errno.EAGAIN)
                {
                    return sent.Error;
                }

                if (!deadline.Wait(_handle, Libc.POLLOUT))
                {
                    return Errno.ETIMEDOUT;
                }
            }
        }
    }

    /// <summary>Ends both directions; whoever waits in another thread returns. Dispose only after that.</summary>
    public void Shutdown()
    {
        bool held = false;
        try
        {
            _isShutDown = true;
            _handle.DangerousAddRef(ref held);
            Libc.Shutdown(_handle.Descriptor, Libc.SHUT_RDWR);
        }
        catch (ObjectDisposedException)
        {
            // Closed already: nobody waits any more.
        }
        finally
        {
            if (held)
            {
                _handle.DangerousRelease();
            }
        }
    }

    public void Dispose() => _handle.Dispose();

    private static SeqPacketSocket Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Encoding.UTF8.GetByteCount(path) > LongestPathBytes)
        {
            throw new LinuxException(Errno.ENAMETOOLONG, $"socket path {path} (at most {LongestPathBytes} bytes)");
        }

        nint descriptor = Libc.Socket(Libc.AF_UNIX, Libc.SOCK_SEQPACKET | Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC, 0).OrThrow("open a Unix socket");
        return new SeqPacketSocket(new DescriptorHandle((int)descriptor), path);
    }

    // struct sockaddr_un { family:2, path:108 }
    private static byte[] AddressOf(string path)
    {
        byte[] address = new byte[PathOffset + Encoding.UTF8.GetByteCount(path) + 1];
        MemoryMarshal.Write(address, (ushort)Libc.AF_UNIX);
        Encoding.UTF8.GetBytes(path, address.AsSpan(PathOffset));
        return address;
    }

    private static void ThrowUnlessWouldBlock(Errno error, string what)
    {
        if (error != Errno.EAGAIN)
        {
            throw new LinuxException(error, what);
        }
    }

    // A Unix socket connects at once or not at all; EAGAIN means that the listener's queue is full, and no event tells when it is not.
    private unsafe void ConnectTo(string path, PollDeadline deadline)
    {
        byte[] address = AddressOf(path);
        while (true)
        {
            fixed (byte* bytes = address)
            {
                SysResult connected = Libc.Connect(_handle.Descriptor, bytes, (uint)address.Length);
                if (!connected.Failed)
                {
                    return;
                }

                ThrowUnlessWouldBlock(connected.Error, $"connect to {path}");
            }

            if (!deadline.Pause())
            {
                throw new LinuxException(Errno.ETIMEDOUT, $"connect to {path}");
            }
        }
    }
}
