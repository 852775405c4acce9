using System.Runtime.InteropServices;

namespace Ztunnel.LoadBench.Native;

/// <summary>
/// The system calls of the load generator. DllImport with references, not LibraryImport: the latter's generated code needs unsafe blocks, which only two product projects have.
/// </summary>
internal static class Libc
{
    public const int EAGAIN = 11;
    public const int EINPROGRESS = 115;
    public const int EINTR = 4;

    public const int AF_INET = 2;
    public const int SOCK_STREAM = 1;
    public const int SOCK_NONBLOCK = 0x800;
    public const int SOCK_CLOEXEC = 0x80000;
    public const int SOL_SOCKET = 1;
    public const int SO_REUSEADDR = 2;
    public const int SO_ERROR = 4;
    public const int SO_LINGER = 13;
    public const int IPPROTO_TCP = 6;
    public const int TCP_NODELAY = 1;
    public const int MSG_NOSIGNAL = 0x4000;
    public const int SHUT_WR = 1;
    public const int EPOLL_CLOEXEC = 0x80000;

    public const int PR_SET_TIMERSLACK = 29;

    private const string Library = "libc";

    [DllImport(Library, SetLastError = true)]
    internal static extern int socket(int domain, int type, int protocol);

    [DllImport(Library, SetLastError = true)]
    internal static extern int bind(int fd, ref byte address, int length);

    [DllImport(Library, SetLastError = true)]
    internal static extern int listen(int fd, int backlog);

    [DllImport(Library, SetLastError = true)]
    internal static extern int accept4(int fd, nint address, nint length, int flags);

    [DllImport(Library, SetLastError = true)]
    internal static extern int connect(int fd, ref byte address, int length);

    [DllImport(Library, SetLastError = true)]
    internal static extern nint recv(int fd, ref byte buffer, nint length, int flags);

    [DllImport(Library, SetLastError = true)]
    internal static extern nint send(int fd, ref byte buffer, nint length, int flags);

    [DllImport(Library, SetLastError = true)]
    internal static extern int shutdown(int fd, int how);

    [DllImport(Library, SetLastError = true)]
    internal static extern int close(int fd);

    [DllImport(Library, SetLastError = true)]
    internal static extern int setsockopt(int fd, int level, int name, ref int value, int length);

    [DllImport(Library, SetLastError = true)]
    internal static extern int getsockopt(int fd, int level, int name, ref int value, ref int length);

    [DllImport(Library, SetLastError = true)]
    internal static extern int epoll_create1(int flags);

    [DllImport(Library, SetLastError = true)]
    internal static extern int epoll_ctl(int epoll, int operation, int fd, ref int eventWords);

    [DllImport(Library, SetLastError = true)]
    internal static extern int epoll_wait(int epoll, ref int eventWords, int count, int timeoutMilliseconds);

    [DllImport(Library, SetLastError = true)]
    internal static extern int epoll_pwait2(int epoll, ref int eventWords, int count, ref Timespec timeout, nint signals, nint signalsLength);

    [DllImport(Library, SetLastError = true)]
    internal static extern int prctl(int option, nuint value, nuint third, nuint fourth, nuint fifth);

    [DllImport(Library, SetLastError = true)]
    internal static extern int kill(int pid, int signal);

    [DllImport(Library, SetLastError = true)]
    internal static extern int mlock(nint address, nuint length);
}

/// <summary>struct timespec of the 64-bit architectures.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Timespec
{
    public long Seconds;
    public long Nanoseconds;
}
