using System.Runtime.InteropServices;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Interop;

internal static unsafe partial class Libc
{
    public const uint EPOLLIN = 0x001;
    public const uint EPOLLPRI = 0x002;
    public const uint EPOLLOUT = 0x004;
    public const uint EPOLLERR = 0x008;
    public const uint EPOLLHUP = 0x010;
    public const uint EPOLLRDHUP = 0x2000;
    public const uint EPOLLEXCLUSIVE = 1u << 28;
    public const uint EPOLLET = 1u << 31;

    private const int EPOLL_CTL_ADD = 1;
    private const int EPOLL_CTL_DEL = 2;
    private const int EPOLL_CLOEXEC = 0x80000;
    private const int EFD_CLOEXEC = 0x80000;
    private const int EFD_NONBLOCK = 0x800;

    // struct epoll_event is packed on x86-64 and naturally aligned everywhere else.
    public static readonly int EpollEventBytes = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    public static readonly int EpollDataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;

    public static SysResult EpollCreate() => SysResult.From(epoll_create1(EPOLL_CLOEXEC));

    public static SysResult EpollAdd(int epoll, int descriptor, uint events, ulong data)
    {
        byte* record = stackalloc byte[16];
        *(uint*)record = events;
        *(ulong*)(record + EpollDataOffset) = data;
        return SysResult.From(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, record));
    }

    public static SysResult EpollRemove(int epoll, int descriptor)
    {
        byte* ignored = stackalloc byte[16];
        return SysResult.From(epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, ignored));
    }

    /// <summary>An interrupted wait is a wait without events: the caller computes its next timeout from the clock anyway.</summary>
    public static int EpollWait(int epoll, byte* events, int maximumEvents, int timeoutMilliseconds)
    {
        SysResult result = SysResult.From(epoll_wait(epoll, events, maximumEvents, timeoutMilliseconds));
        return result.Error == Errno.EINTR ? 0 : (int)result.OrThrow("epoll_wait");
    }

    public static SysResult EventDescriptor() => SysResult.From(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));

    [LibraryImport(Library)]
    private static partial int epoll_create1(int flags);

    [LibraryImport(Library)]
    private static partial int epoll_ctl(int epoll, int operation, int fd, byte* record);

    [LibraryImport(Library)]
    private static partial int epoll_wait(int epoll, byte* events, int maximumEvents, int timeout);

    [LibraryImport(Library)]
    private static partial int eventfd(uint initial, int flags);
}
