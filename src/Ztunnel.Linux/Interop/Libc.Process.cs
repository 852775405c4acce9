using System.Runtime.InteropServices;

namespace Ztunnel.Linux.Interop;

internal static unsafe partial class Libc
{
    private const int RLIMIT_NOFILE = 7;
    private const int PR_SET_NAME = 15;
    private const int _SC_PAGESIZE = 30;

    public static long PageBytes => sysconf(_SC_PAGESIZE);

    public static SysResult GetOpenFilesLimit(out ulong soft, out ulong hard)
    {
        ResourceLimit limit = default;
        SysResult result = SysResult.From(getrlimit(RLIMIT_NOFILE, &limit));
        (soft, hard) = (limit.Soft, limit.Hard);
        return result;
    }

    public static SysResult SetOpenFilesLimit(ulong soft, ulong hard)
    {
        var limit = new ResourceLimit { Soft = soft, Hard = hard };
        return SysResult.From(setrlimit(RLIMIT_NOFILE, &limit));
    }

    /// <summary>Names the calling thread; the kernel keeps 15 bytes.</summary>
    public static void NameThread(ReadOnlySpan<byte> terminated)
    {
        fixed (byte* text = terminated)
        {
            _ = prctl(PR_SET_NAME, (nuint)text, 0, 0, 0);
        }
    }

    [LibraryImport(Library)]
    private static partial int prctl(int option, nuint argument2, nuint argument3, nuint argument4, nuint argument5);

    [LibraryImport(Library)]
    private static partial int getrlimit(int resource, ResourceLimit* limit);

    [LibraryImport(Library)]
    private static partial int setrlimit(int resource, ResourceLimit* limit);

    [LibraryImport(Library)]
    private static partial nint sysconf(int name);

    [StructLayout(LayoutKind.Sequential)]
    private struct ResourceLimit
    {
        public ulong Soft;
        public ulong Hard;
    }
}
