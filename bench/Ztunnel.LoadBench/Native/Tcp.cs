using System.Buffers.Binary;
using System.ComponentModel;
using System.Net;
using System.Runtime.InteropServices;

namespace Ztunnel.LoadBench.Native;

/// <summary>Non-blocking IPv4 TCP sockets as bare descriptors: what a load generator needs and no more.</summary>
internal static class Tcp
{
    /// <summary>What <see cref="Receive"/> and <see cref="Send"/> return when the call would block, and when the connection failed.</summary>
    public const int WouldBlock = -1;
    public const int Failed = -2;

    public static int Listen(IPEndPoint local)
    {
        int fd = Open();
        SetOption(fd, Libc.SOL_SOCKET, Libc.SO_REUSEADDR, 1);
        Span<byte> address = stackalloc byte[16];
        Write(address, local);
        if (Libc.bind(fd, ref address[0], address.Length) < 0 || Libc.listen(fd, 4096) < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            Close(fd);
            throw new Win32Exception(error, $"cannot listen on {local}: {new Win32Exception(error).Message}");
        }

        return fd;
    }

    /// <summary>Starts to connect; the descriptor becomes writable when that is done. Negative: the errno.</summary>
    public static int StartConnect(IPEndPoint remote)
    {
        int fd = Open();
        Span<byte> address = stackalloc byte[16];
        Write(address, remote);
        if (Libc.connect(fd, ref address[0], address.Length) < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error != Libc.EINPROGRESS)
            {
                Close(fd);
                return -error;
            }
        }

        return fd;
    }

    /// <summary>The result of a connect: 0 or the errno.</summary>
    public static int TakeError(int fd)
    {
        int error = 0;
        int length = sizeof(int);
        return Libc.getsockopt(fd, Libc.SOL_SOCKET, Libc.SO_ERROR, ref error, ref length) < 0 ? Marshal.GetLastPInvokeError() : error;
    }

    /// <summary>The next connection, or a negative number when none waits.</summary>
    public static int Accept(int listener)
    {
        int fd = Libc.accept4(listener, 0, 0, Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC);
        if (fd >= 0)
        {
            SetOption(fd, Libc.IPPROTO_TCP, Libc.TCP_NODELAY, 1);
        }

        return fd;
    }

    /// <summary>Bytes received, 0 at the end of the stream, <see cref="WouldBlock"/> or <see cref="Failed"/>.</summary>
    public static int Receive(int fd, Span<byte> buffer) => Judge((int)Libc.recv(fd, ref buffer[0], buffer.Length, 0));

    public static int Send(int fd, ReadOnlySpan<byte> bytes) => Judge((int)Libc.send(fd, ref MemoryMarshal.GetReference(bytes), bytes.Length, Libc.MSG_NOSIGNAL));

    public static void ShutdownWrite(int fd) => _ = Libc.shutdown(fd, Libc.SHUT_WR);

    public static void Close(int fd) => _ = Libc.close(fd);

    private static int Judge(int result)
    {
        if (result >= 0)
        {
            return result;
        }

        return Marshal.GetLastPInvokeError() is Libc.EAGAIN or Libc.EINTR ? WouldBlock : Failed;
    }

    private static int Open()
    {
        int fd = Libc.socket(Libc.AF_INET, Libc.SOCK_STREAM | Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC, 0);
        if (fd < 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }

        SetOption(fd, Libc.IPPROTO_TCP, Libc.TCP_NODELAY, 1);
        return fd;
    }

    private static void SetOption(int fd, int level, int name, int value) => _ = Libc.setsockopt(fd, level, name, ref value, sizeof(int));

    private static void Write(Span<byte> sockaddr, IPEndPoint endPoint)
    {
        sockaddr.Clear();
        MemoryMarshal.Write(sockaddr, (ushort)Libc.AF_INET);
        BinaryPrimitives.WriteUInt16BigEndian(sockaddr[2..], (ushort)endPoint.Port);
        if (!endPoint.Address.TryWriteBytes(sockaddr[4..], out int written) || written != 4)
        {
            throw new ArgumentException($"{endPoint} is not an IPv4 end point", nameof(endPoint));
        }
    }
}
