using System.Runtime.InteropServices;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Interop;

internal static unsafe partial class Libc
{
    public const int AF_UNIX = 1;
    public const int AF_INET = 2;
    public const int AF_INET6 = 10;
    public const int SOCK_STREAM = 1;
    public const int SOCK_DGRAM = 2;
    public const int SOCK_SEQPACKET = 5;
    public const int SOCK_NONBLOCK = 0x800;
    public const int SOCK_CLOEXEC = 0x80000;
    public const int IPPROTO_TCP = 6;
    public const int IPPROTO_UDP = 17;
    public const int SHUT_WR = 1;
    public const int SHUT_RDWR = 2;
    public const int MSG_NOSIGNAL = 0x4000;
    public const int MSG_CMSG_CLOEXEC = 0x40000000;
    public const int MSG_TRUNC = 0x20;
    public const int MSG_CTRUNC = 0x08;
    public const short POLLIN = 0x001;
    public const short POLLOUT = 0x004;

    public static SysResult Socket(int family, int type, int protocol) => SysResult.From(socket(family, type, protocol));

    public static SysResult Bind(int descriptor, byte* address, uint length) => SysResult.From(bind(descriptor, address, length));

    public static SysResult Listen(int descriptor, int backlog) => SysResult.From(listen(descriptor, backlog));

    /// <summary>Not repeated after EINTR: the attempt goes on, exactly as after EINPROGRESS.</summary>
    public static SysResult Connect(int descriptor, byte* address, uint length)
    {
        SysResult result = SysResult.From(connect(descriptor, address, length));
        return result.Error == Errno.EINTR ? new SysResult(-1, Errno.EINPROGRESS) : result;
    }

    public static SysResult Accept(int descriptor, byte* address, uint* length, int flags)
    {
        while (true)
        {
            SysResult result = SysResult.From(accept4(descriptor, address, length, flags));
            if (result.Error != Errno.EINTR)
            {
                return result;
            }
        }
    }

    public static SysResult Receive(int descriptor, byte* buffer, nuint length)
    {
        while (true)
        {
            SysResult result = SysResult.From(recv(descriptor, buffer, length, 0));
            if (result.Error != Errno.EINTR)
            {
                return result;
            }
        }
    }

    public static SysResult Send(int descriptor, byte* buffer, nuint length)
    {
        while (true)
        {
            SysResult result = SysResult.From(send(descriptor, buffer, length, MSG_NOSIGNAL));
            if (result.Error != Errno.EINTR)
            {
                return result;
            }
        }
    }

    public static SysResult ReceiveFrom(int descriptor, byte* buffer, nuint length, int flags, byte* address, uint* addressLength)
    {
        while (true)
        {
            SysResult result = SysResult.From(recvfrom(descriptor, buffer, length, flags, address, addressLength));
            if (result.Error != Errno.EINTR)
            {
                return result;
            }
        }
    }

    public static SysResult SendTo(int descriptor, byte* buffer, nuint length, byte* address, uint addressLength)
    {
        while (true)
        {
            SysResult result = SysResult.From(sendto(descriptor, buffer, length, MSG_NOSIGNAL, address, addressLength));
            if (result.Error != Errno.EINTR)
            {
                return result;
            }
        }
    }

    public static SysResult ReceiveMessage(int descriptor, MessageHeader* message, int flags)
    {
        while (true)
        {
            SysResult result = SysResult.From(recvmsg(descriptor, message, flags));
            if (result.Error != Errno.EINTR)
            {
                return result;
            }
        }
    }

    public static SysResult SendMessage(int descriptor, MessageHeader* message)
    {
        while (true)
        {
            SysResult result = SysResult.From(sendmsg(descriptor, message, MSG_NOSIGNAL));
            if (result.Error != Errno.EINTR)
            {
                return result;
            }
        }
    }

    public static SysResult Shutdown(int descriptor, int how) => SysResult.From(shutdown(descriptor, how));

    public static SysResult LocalName(int descriptor, byte* address, uint* length) => SysResult.From(getsockname(descriptor, address, length));

    public static SysResult PeerName(int descriptor, byte* address, uint* length) => SysResult.From(getpeername(descriptor, address, length));

    /// <summary>EINTR is the caller's: only it knows how much of its time is left.</summary>
    public static SysResult Poll(int descriptor, short events, int timeoutMilliseconds)
    {
        var record = new PollRecord { Descriptor = descriptor, Events = events };
        return SysResult.From(poll(&record, 1, timeoutMilliseconds));
    }

    [LibraryImport(Library)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport(Library)]
    private static partial int bind(int fd, byte* address, uint length);

    [LibraryImport(Library)]
    private static partial int listen(int fd, int backlog);

    [LibraryImport(Library)]
    private static partial int connect(int fd, byte* address, uint length);

    [LibraryImport(Library)]
    private static partial int accept4(int fd, byte* address, uint* length, int flags);

    [LibraryImport(Library)]
    private static partial nint recv(int fd, byte* buffer, nuint length, int flags);

    [LibraryImport(Library)]
    private static partial nint send(int fd, byte* buffer, nuint length, int flags);

    [LibraryImport(Library)]
    private static partial nint recvfrom(int fd, byte* buffer, nuint length, int flags, byte* address, uint* addressLength);

    [LibraryImport(Library)]
    private static partial nint sendto(int fd, byte* buffer, nuint length, int flags, byte* address, uint addressLength);

    [LibraryImport(Library)]
    private static partial nint recvmsg(int fd, MessageHeader* message, int flags);

    [LibraryImport(Library)]
    private static partial nint sendmsg(int fd, MessageHeader* message, int flags);

    [LibraryImport(Library)]
    private static partial int shutdown(int fd, int how);

    [LibraryImport(Library)]
    private static partial int getsockname(int fd, byte* address, uint* length);

    [LibraryImport(Library)]
    private static partial int getpeername(int fd, byte* address, uint* length);

    [LibraryImport(Library)]
    private static partial int poll(PollRecord* records, nuint count, int timeout);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollRecord
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }
}

/// <summary>struct msghdr of glibc on 64-bit machines.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MessageHeader
{
    public byte* Name;
    public uint NameLength;
    public IoVector* Vectors;
    public nuint VectorCount;
    public byte* Control;
    public nuint ControlLength;
    public int Flags;
}

/// <summary>struct cmsghdr; data follows, everything aligned to 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ControlHeader
{
    public nuint Length;
    public int Level;
    public int Type;
}
