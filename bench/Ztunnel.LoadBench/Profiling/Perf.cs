using System.Globalization;
using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Profiling;

/// <summary>Debian's perf (package linux-perf) on running processes: samples of the processor's clock, and counts of system calls at the kernel's tracepoints, which cost the processes next to nothing.</summary>
internal static class Perf
{
    private const string Program = "/usr/bin/perf";
    private const int SamplesPerSecond = 1999;

    // Of these a proxy's data path could make use; what it calls beyond them is in the total.
    private static readonly string[] Counted =
    [
        "read", "write", "readv", "writev", "recvfrom", "sendto", "recvmsg", "sendmsg", "splice", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "accept4", "socket", "connect", "bind", "getsockopt", "setsockopt",
        "getsockname", "getpeername", "shutdown", "close", "futex", "madvise", "mmap", "munmap", "mprotect", "fcntl", "ioctl", "timerfd_settime",
    ];

    public static void Require()
    {
        if (!File.Exists(Program))
        {
            throw new BenchException($"{Program} is missing; install linux-perf");
        }
    }

    /// <summary>Where the processes spent their time, the most expensive function first.</summary>
    public static async Task<IReadOnlyList<Cost>> SampleAsync(int[] processes, TimeSpan duration, string folder, CancellationToken cancellation)
    {
        string data = Path.Combine(folder, "perf.data");
        TimeSpan limit = duration + TimeSpan.FromSeconds(60);
        await Command.RunAsync(limit, Program, ["record", "-q", "-e", "cpu-clock", "-F", Text(SamplesPerSecond), "-p", Join(processes), "-o", data, "--", "sleep", Text(duration.TotalSeconds)], cancellation);
        string report = await Command.RunAsync(limit, Program, ["report", "-q", "-i", data, "--stdio", "--no-children", "--percent-limit", "0", "-F", "overhead,dso,symbol", "-t", "|"], cancellation);
        return [.. report.Split('\n').Select(ParseCost).OfType<Cost>().OrderByDescending(static cost => cost.Percent)];
    }

    /// <summary>System calls by name while the processes run; "all" is their sum, those without a name here included.</summary>
    public static async Task<IReadOnlyDictionary<string, long>> CountCallsAsync(int[] processes, TimeSpan duration, CancellationToken cancellation)
    {
        string[] events = [.. Counted.Where(static name => Directory.Exists($"/sys/kernel/tracing/events/syscalls/sys_enter_{name}")).Select(static name => $"syscalls:sys_enter_{name}"), "raw_syscalls:sys_enter"];
        CommandResult result = await Command.TryRunAsync(duration + TimeSpan.FromSeconds(60), Program,
            ["stat", "-x", "|", "-e", string.Join(',', events), "-p", Join(processes), "--", "sleep", Text(duration.TotalSeconds)], cancellation);
        if (result.ExitCode != 0)
        {
            throw new BenchException($"perf stat ended with {result.ExitCode}: {result.Error.Trim()}");
        }

        // 31|unit|syscalls:sys_enter_close|...
        return result.Error.Split('\n').Select(static line => line.Split('|'))
            .Where(static fields => fields.Length > 2 && long.TryParse(fields[0], CultureInfo.InvariantCulture, out _))
            .ToDictionary(static fields => fields[2] == "raw_syscalls:sys_enter" ? "all" : fields[2].Replace("syscalls:sys_enter_", "", StringComparison.Ordinal), static fields => long.Parse(fields[0], CultureInfo.InvariantCulture));
    }

    //  12.34%|libcrypto.so.3|[.] gcm_ghash_avx
    private static Cost? ParseCost(string line)
    {
        string[] fields = line.Split('|', 3, StringSplitOptions.TrimEntries);
        return fields.Length == 3 && double.TryParse(fields[0].TrimEnd('%'), CultureInfo.InvariantCulture, out double percent)
            ? new Cost(percent, fields[1], fields[2].Length > 4 && fields[2][0] == '[' ? fields[2][4..] : fields[2]) : null;
    }

    private static string Join(int[] processes) => string.Join(',', processes.Select(static id => Text(id)));

    private static string Text(double number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>One function's share of the samples.</summary>
internal sealed record Cost(double Percent, string SharedObject, string Symbol)
{
    public string Class => CostClass.Of(SharedObject, Symbol);
}
