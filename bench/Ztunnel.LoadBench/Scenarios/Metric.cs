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
    public static readonly Metric P999 = new("p999_us", "p99.9 µs", 0);

    /// <summary>Throughput of the bulk streams beside the echoes, in percent of what it was without them.</summary>
    public static readonly Metric Kept = new("bulk_kept_percent", "bulk kept %", 0);

    public static readonly Metric RestClient = new("rest_mib_client", "at rest MiB c", 1);
    public static readonly Metric RestServer = new("rest_mib_server", "s", 1);
    public static readonly Metric[] KibAt1K = KibPer("conn at 1k", "connection_1k");
    public static readonly Metric[] KibAt10K = KibPer("conn at 10k", "connection_10k");
    public static readonly Metric[] KibAt50K = KibPer("conn at 50k", "connection_50k");
    public static readonly Metric[] KibPerTunnel = KibPer("tunnel", "tunnel");

    /// <summary>Of the side that does worse, so long after the last connection left: memory as a multiple of memory at rest, and descriptors more than at rest (kept tunnels not counted).</summary>
    public static readonly Metric LeftMinute = new("left_1_min_memory", "left 1 min × rest", 2);
    public static readonly Metric DescriptorsMinute = new("left_1_min_descriptors", "descriptors", 0);
    public static readonly Metric LeftFive = new("left_5_min_memory", "left 5 min × rest", 2);
    public static readonly Metric DescriptorsFive = new("left_5_min_descriptors", "descriptors", 0);

    /// <summary>Each side's resident memory for one more connection.</summary>
    private static Metric[] KibPer(string what, string key) => [new($"kib_per_{key}_client", $"KiB/{what} c", 2), new($"kib_per_{key}_server", "s", 2)];
}
