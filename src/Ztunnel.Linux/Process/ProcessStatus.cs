using System.Globalization;
using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Process;

/// <summary>What the process uses, as the process_* metrics show it. Each reads /proc anew.</summary>
public static class ProcessStatus
{
    // Fields of /proc/self/statm, in pages: size resident shared text lib data dt
    private const int ResidentField = 1;

    public static long ResidentBytes => ReadPages(ResidentField) * Libc.PageBytes;

    /// <summary>User and system time of all threads so far.</summary>
    public static TimeSpan CpuTime => Environment.CpuUsage.TotalTime;

    /// <summary>Descriptors open now; the one that reading the folder takes is not counted.</summary>
    public static int OpenFiles => Directory.EnumerateFileSystemEntries("/proc/self/fd").Count() - 1;

    private static long ReadPages(int field)
    {
        string[] fields = File.ReadAllText("/proc/self/statm").Split(' ');
        return long.Parse(fields[field], CultureInfo.InvariantCulture);
    }
}
