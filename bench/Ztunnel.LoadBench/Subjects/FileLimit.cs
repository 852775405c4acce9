using System.Globalization;

namespace Ztunnel.LoadBench.Subjects;

/// <summary>How many descriptors a process here may have; run.sh has raised the soft limit to it.</summary>
internal static class FileLimit
{
    public static int Hard { get; } = Read();

    private static int Read()
    {
        // Max open files            20000                20000                files
        string line = File.ReadLines("/proc/self/limits").First(static line => line.StartsWith("Max open files", StringComparison.Ordinal));
        string hard = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[4];
        // Beyond a million nobody needs it, and programs that make a table of that size start to pay.
        return hard == "unlimited" ? 1_000_000 : (int)Math.Min(1_000_000, long.Parse(hard, CultureInfo.InvariantCulture));
    }
}
