using Ztunnel.LoadBench.Measurement;

namespace Ztunnel.LoadBench.Scenarios;

/// <summary>What a run of the load client says in the report's metrics.</summary>
internal static class Readings
{
    private const double Gib = 1024.0 * 1024 * 1024;
    private const double Mib = 1024.0 * 1024;

    public static IEnumerable<(Metric Metric, double Value)> Throughput(LoadResult result) =>
    [
        (Metric.Throughput, result.Bytes * 8 / result.Seconds / 1e9),
        (Metric.CpuPerGib, result.CpuSeconds.Sum() / (result.Bytes / Gib)),
    ];

    public static IEnumerable<(Metric Metric, double Value)> Rate(LoadResult result) =>
    [
        (Metric.Rate, result.Operations / result.Seconds),
        (Metric.CpuPer100K, result.CpuSeconds.Sum() / result.Operations * 100_000),
        (Metric.P50, result.Latency?.P50 ?? double.NaN),
        (Metric.P99, result.Latency?.P99 ?? double.NaN),
        (Metric.P999, result.Latency?.P999 ?? double.NaN),
    ];

    public static IEnumerable<(Metric Metric, double Value)> Beside(LoadResult result) =>
    [
        (Metric.P50, result.Latency?.P50 ?? double.NaN),
        (Metric.P99, result.Latency?.P99 ?? double.NaN),
        (Metric.Kept, result.Bytes / result.Seconds / result.BytesPerSecondAlone * 100),
        .. Throughput(result),
    ];

    /// <summary>At rest, for each connection at each number of them, and after they left.</summary>
    public static IEnumerable<(Metric Metric, double Value)> Memory(LoadResult result)
    {
        MemoryPoint rest = result.Memory[0];
        yield return (Metric.RestClient, rest.ResidentBytes[0] / Mib);
        yield return (Metric.RestServer, rest.ResidentBytes[1] / Mib);
        foreach (MemoryPoint point in result.Memory.Where(static point => point.Connections > 0))
        {
            Metric[] sides = point.Connections > 10_000 ? Metric.KibAt50K : point.Connections > 1000 ? Metric.KibAt10K : Metric.KibAt1K;
            foreach ((Metric Metric, double Value) value in Each(rest, point, sides))
            {
                yield return value;
            }
        }

        foreach (MemoryPoint point in result.Memory.Where(static point => point.SecondsSinceLeft > 0))
        {
            bool isFirst = point.SecondsSinceLeft == IdleScenarios.FirstLookSeconds;
            yield return (isFirst ? Metric.LeftMinute : Metric.LeftFive, point.ResidentBytes.Zip(rest.ResidentBytes, static (now, then) => (double)now / then).Max());
            yield return (isFirst ? Metric.DescriptorsMinute : Metric.DescriptorsFive, point.Descriptors.Zip(rest.Descriptors, (now, then) => now - point.Wires - (then - rest.Wires)).Max());
        }
    }

    public static IEnumerable<(Metric Metric, double Value)> TunnelMemory(LoadResult result) => Each(result.Memory[0], result.Memory[1], Metric.KibPerTunnel);

    /// <summary>Growth since rest for each connection, on the two sides.</summary>
    private static IEnumerable<(Metric Metric, double Value)> Each(MemoryPoint first, MemoryPoint now, Metric[] sides) =>
        sides.Select((metric, side) => (metric, (now.ResidentBytes[side] - first.ResidentBytes[side]) / 1024.0 / (now.Connections - first.Connections)));
}
