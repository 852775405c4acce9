using System.Globalization;
using System.Runtime.InteropServices;
using Ztunnel.LoadBench.Subjects;
using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Reports;

/// <summary>What a number is worth nothing without: machine, kernel, versions, settings, revision.</summary>
internal sealed record MachineFacts(IReadOnlyDictionary<string, string> Lines, double AesSecondsPerGib)
{
    public static async Task<MachineFacts> CollectAsync(BenchSettings settings, UserLand land, DateTimeOffset now)
    {
        string processor = File.ReadLines("/proc/cpuinfo").FirstOrDefault(static line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? "?";
        string memory = File.ReadLines("/proc/meminfo").First().Split(':')[1].Trim();
        var lines = new Dictionary<string, string>
        {
            ["date"] = now.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture),
            ["commit"] = settings.Commit,
            ["command"] = settings.CommandLine,
            ["machine"] = $"{processor}, {Environment.ProcessorCount} cores, {RuntimeInformation.ProcessArchitecture}, {memory}",
            ["kernel"] = File.ReadAllText("/proc/sys/kernel/osrelease").Trim(),
            ["user land"] = await land.AskAsync("sh", "-c", ". /etc/os-release; echo \"$PRETTY_NAME $(cat /etc/debian_version 2>/dev/null)\""),
            ["OpenSSL"] = (await land.AskAsync("openssl", "version")).Split('\n')[0].Split(" (")[0],
            ["congestion control"] = settings.CongestionControl,
            ["descriptor limit"] = $"{FileLimit.Hard}",
            ["load average before"] = File.ReadAllText("/proc/loadavg").Split(' ')[0],
            ["priority"] = $"nice {Environment.GetEnvironmentVariable("BENCH_NICE") ?? "0"}",
            ["repetitions"] = $"{settings.Repetitions}, subjects alternating within each scenario",
        };
        foreach (Subject subject in settings.Subjects)
        {
            string version = await subject.DescribeAsync(land, settings.Binaries);
            if (version.Length > 0)
            {
                lines[subject.Name] = version;
            }
        }

        double aes = await MeasureAesAsync(land);
        lines["AES-256-GCM"] = string.Create(CultureInfo.InvariantCulture, $"{aes:0.000} CPU s/GiB once, {1.0737 / aes:0.0} GB/s, in records of 16 KiB");
        return new MachineFacts(lines, aes);
    }

    /// <summary>CPU seconds to seal or open one GiB with the library of the subjects; NaN where it does not say.</summary>
    private static async Task<double> MeasureAesAsync(UserLand land)
    {
        // +F:22:AES-256-GCM:4905216307.20
        string output = await land.AskAsync("openssl", "speed", "-mr", "-evp", "aes-256-gcm", "-bytes", "16384", "-seconds", "1");
        string? line = output.Split('\n').FirstOrDefault(static line => line.StartsWith("+F:", StringComparison.Ordinal));
        return line is not null && double.TryParse(line.Split(':')[^1], CultureInfo.InvariantCulture, out double bytesPerSecond) ? 1024.0 * 1024 * 1024 / bytesPerSecond : double.NaN;
    }

    /// <summary>The little that stands below a chart's title.</summary>
    public string ToLine() => string.Join(", ", new[] { "date", "commit", "user land", "OpenSSL" }.Select(name => Lines[name]));

    public string ToText() => string.Join('\n', Lines.Select(static line => $"* {line.Key}: {line.Value}"));
}
