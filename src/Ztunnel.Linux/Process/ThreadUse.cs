using System.Globalization;

namespace Ztunnel.Linux.Process;

/// <summary>What one thread of this process has used.</summary>
/// <param name="Name">As the kernel shows it: at most 15 characters.</param>
/// <param name="Time">User and system time.</param>
public readonly record struct ThreadUse(string Name, TimeSpan Time)
{
    // Fixed for user space on Linux, whatever the kernel counts in.
    private const int TicksPerSecond = 100;

    // proc(5): fields 14 and 15 of stat, counted behind the name, which may hold blanks and brackets.
    private const int UserField = 11;
    private const int SystemField = 12;

    /// <summary>All threads now.</summary>
    public static IEnumerable<ThreadUse> Read()
    {
        foreach (string folder in Directory.EnumerateDirectories("/proc/self/task"))
        {
            string stat;
            try
            {
                stat = File.ReadAllText(folder + "/stat");
            }
            catch (IOException)
            {
                continue;   // it has ended meanwhile
            }

            int open = stat.IndexOf('(', StringComparison.Ordinal);
            int close = stat.LastIndexOf(')');
            string[] fields = stat[(close + 2)..].Split(' ');
            long ticks = long.Parse(fields[UserField], CultureInfo.InvariantCulture) + long.Parse(fields[SystemField], CultureInfo.InvariantCulture);
            yield return new ThreadUse(stat[(open + 1)..close], TimeSpan.FromSeconds((double)ticks / TicksPerSecond));
        }
    }
}
