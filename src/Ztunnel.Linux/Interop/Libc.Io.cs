using System.Runtime.InteropServices;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Interop;

/// <summary>The C library, one file for each family of calls. Wrappers decide errno and repeat what a signal interrupted.</summary>
internal static unsafe partial class Libc
{
    private const string Library = "libc";

    public const int O_RDONLY = 0;
    public const int O_WRONLY = 1;
    public const int O_CLOEXEC = 0x80000;
    private const int F_DUPFD_CLOEXEC = 1030;

    /// <summary>Never repeated after EINTR: Linux has released the descriptor by then, and the number may already be someone else's.</summary>
    public static void Close(int descriptor) => _ = close(descriptor);

    public static SysResult Open(string path, int flags)
    {
        byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(path + '\0');
        fixed (byte* name = utf8)
        {
            return OpenRaw(name, flags);
        }
    }

    /// <summary>Allocates nothing: for use inside a foreign namespace.</summary>
    public static SysResult OpenRaw(byte* zeroTerminatedPath, int flags)
    {
        while (true)
        {
            SysResult result = SysResult.From(open(zeroTerminatedPath, flags | O_CLOEXEC, 0));
            if (result.Error != Errno.EINTR)
            {
                return result;
            }
        }
    }

    public static SysResult Read(int descriptor, byte* buffer, nuint length)
    {
        while (true)
        {
            SysResult result = SysResult.From(read(descriptor, buffer, length));
            if (result.Error != Errno.EINTR)
            {
                return result;
            }
        }
    }

    public static SysResult Write(int descriptor, byte* buffer, nuint length)
    {
        while (true)
        {
            SysResult result = SysResult.From(write(descriptor, buffer, length));
            if (result.Error != Errno.EINTR)
            {
                return result;
            }
        }
    }

    public static SysResult ReadVector(int descriptor, IoVector* vectors, int count)
    {
        while (true)
        {
            SysResult result = SysResult.From(readv(descriptor, vectors, count));
            if (result.Error != Errno.EINTR)
            {
                return result;
            }
        }
    }

    public static SysResult Duplicate(int descriptor) => SysResult.From(fcntl(descriptor, F_DUPFD_CLOEXEC, 0));

    [LibraryImport(Library)]
    private static partial int close(int fd);

    [LibraryImport(Library)]
    private static partial int open(byte* path, int flags, uint mode);

    [LibraryImport(Library)]
    private static partial nint read(int fd, byte* buffer, nuint length);

    [LibraryImport(Library)]
    private static partial nint write(int fd, byte* buffer, nuint length);

    [LibraryImport(Library)]
    private static partial nint readv(int fd, IoVector* vectors, int count);

    [LibraryImport(Library)]
    private static partial int fcntl(int fd, int command, nint argument);
}

/// <summary>struct iovec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoVector
{
    public nint Base;
    public nuint Length;
}
