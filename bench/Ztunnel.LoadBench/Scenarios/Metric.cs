namespace Ztunnel.LoadBench.Scenarios;

/// <summary>A measured quantity: its key in the JSON, its heading in the table, and how many decimals say something.</summary>
internal sealed record Metric(string Key, string Heading, int Decimals)
{
    public static readonly Metric Throughput = new("gbit_per_s", "Gbit/s", 2);
    public static readonly Metric CpuPerGib = new("cpu_s_per_gib", "CPU s/GiB", 3);
    public static readonly Metric Rate = new("per_s", "1/s", 0);
    public static readonly Metric CpuPer100K = new("cpu_s_per_100k", "CPU s/100k", 2);
    public static readonly Metric P50 = new("p50_us", "p50 µs", 0);
    public static readonly Metric P99 = new("p99_us", "p99 µs", 0);
    public static readonly Metric RestClient = new("rest_mib_client", "at rest MiB c", 1);
    public static readonly Metric RestServer = new("rest_mib_server", "s", 1);

    /// <summary>Each side's resident memory for one more connection.</summary>
    public static Metric[] KibPer(string what, string key) => [new($"kib_per_{key}_client", $"KiB/{what} c", 2), new($"kib_per_{key}_server", "s", 2)];
}
