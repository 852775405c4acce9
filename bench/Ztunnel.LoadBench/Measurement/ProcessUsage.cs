using System.Globalization;

namespace Ztunnel.LoadBench.Measurement;

/// <summary>CPU time and resident memory of groups of processes, read from /proc: the same numbers for every subject, whatever it is written in.</summary>
internal static class ProcessUsage
{
    /// <summary>USER_HZ: what the kernel reports to user space in on every architecture .NET runs on.</summary>
    private const double TicksPerSecond = 100;

    /// <summary>User and system seconds of the processes since they started; the kernel scales both to what the scheduler counted in nanoseconds.</summary>
    public static double CpuSeconds(IEnumerable<int> processes) => processes.Sum(static id =>
    {
        string[] fields = StatFields(id);
        return (Parse(fields[11]) + Parse(fields[12])) / TicksPerSecond;
    });

    public static long ResidentBytes(IEnumerable<int> processes) => processes.Sum(static id =>
    {
        string line = File.ReadLines($"/proc/{id}/status").First(static line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return Parse(line["VmRSS:".Length..].Replace("kB", "", StringComparison.Ordinal).Trim()) * 1024;
    });

    public static int Descriptors(IEnumerable<int> processes) => processes.Sum(static id => Directory.EnumerateFileSystemEntries($"/proc/{id}/fd").Count());

    /// <summary>Seconds all processors were busy since boot, whoever used them.</summary>
    public static double MachineBusySeconds()
    {
        string[] fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        // user nice system idle iowait irq softirq steal
        return (Parse(fields[1]) + Parse(fields[2]) + Parse(fields[3]) + Parse(fields[6]) + Parse(fields[7]) + Parse(fields[8])) / TicksPerSecond;
    }

    /// <summary>The process and everything it started, as nginx's workers.</summary>
    public static int[] WithChildren(int process)
    {
        ILookup<int, int> children = AllProcesses().ToLookup(static pair => pair.Parent, static pair => pair.Id);
        List<int> found = [process];
        for (int index = 0; index < found.Count; index++)
        {
            found.AddRange(children[found[index]]);
        }

        return [.. found];
    }

    private static IEnumerable<(int Id, int Parent)> AllProcesses()
    {
        foreach (string path in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out int id))
            {
                continue;
            }

            int parent;
            try
            {
                parent = (int)Parse(StatFields(id)[1]);
            }
            catch (IOException)
            {
                // It ended while the list was read.
                continue;
            }

            yield return (id, parent);
        }
    }

    /// <summary>Fields of /proc/PID/stat behind the name in parentheses, which may itself hold blanks.</summary>
    private static string[] StatFields(int id)
    {
        string stat = File.ReadAllText($"/proc/{id}/stat");
        return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
    }

    private static long Parse(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
