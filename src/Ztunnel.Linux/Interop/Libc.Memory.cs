using System.Runtime.InteropServices;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Interop;

internal static unsafe partial class Libc
{
    private const int PROT_READ = 1;
    private const int PROT_WRITE = 2;
    private const int MAP_PRIVATE = 2;
    private const int MAP_ANONYMOUS = 0x20;
    private const int MADV_DONTNEED = 4;
    private const int MADV_NOHUGEPAGE = 15;

    /// <summary>
    /// Fresh zero pages. Huge pages are refused: where they are on for everyone, the first byte of a buffer would cost 2 MiB of resident memory.
    /// </summary>
    public static byte* Map(nuint bytes)
    {
        byte* pages = mmap(null, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == (byte*)-1)
        {
            throw new LinuxException((Errno)Marshal.GetLastSystemError(), $"mmap of {bytes} bytes");
        }

        _ = madvise(pages, bytes, MADV_NOHUGEPAGE); // EINVAL where the kernel has no huge pages: nothing to refuse then
        return pages;
    }

    public static void Unmap(byte* pages, nuint bytes) => SysResult.From(munmap(pages, bytes)).OrThrow("munmap");

    /// <summary>Gives the pages back and keeps the addresses: the next touch finds zero pages.</summary>
    public static void Discard(byte* pages, nuint bytes) => SysResult.From(madvise(pages, bytes, MADV_DONTNEED)).OrThrow("madvise");

    /// <summary>Returns free memory of all arenas to the system.</summary>
    public static void TrimHeap() => _ = malloc_trim(0);

    [LibraryImport(Library)]
    private static partial int malloc_trim(nuint keptBytes);

    [LibraryImport(Library)]
    private static partial byte* mmap(byte* address, nuint length, int protection, int flags, int fd, nint offset);

    [LibraryImport(Library)]
    private static partial int munmap(byte* address, nuint length);

    [LibraryImport(Library)]
    private static partial int madvise(byte* address, nuint length, int advice);
}
