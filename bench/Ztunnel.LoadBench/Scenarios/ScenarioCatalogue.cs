using System.Globalization;
using Ztunnel.LoadBench.Measurement;
using Ztunnel.LoadBench.Subjects;
using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Scenarios;

/// <summary>All scenarios by name, in the order they run. A new one is an entry here; a new kind of load is a class in Load.</summary>
internal static class ScenarioCatalogue
{
    private const double Gib = 1024.0 * 1024 * 1024;
    private const int ManyConnections = 10_000;

    /// <summary>Descriptors that a proxy needs besides two for each connection.</summary>
    private const int SpareDescriptors = 1000;

    public static readonly Metric[] KibAt1K = Metric.KibPer("conn at 1k", "connection_1k");
    public static readonly Metric[] KibAt10K = Metric.KibPer("conn at 10k", "connection_10k");
    public static readonly Metric[] KibPerTunnel = Metric.KibPer("tunnel", "tunnel");

    /// <summary>10,000 connections, or as many as the machine's descriptor limit allows a process that needs two for each.</summary>
    public static int ManyIdleConnections { get; } = Math.Min(ManyConnections, (FileLimit.Hard - SpareDescriptors) / 2 / 500 * 500);

    public static IReadOnlyList<Scenario> All { get; } =
    [
        Bulk("up-1", "1 stream, client to server", "up", connections: 1),
        Bulk("up-16", "16 streams, client to server", "up", connections: 16),
        Bulk("down-1", "1 stream, server to client", "down", connections: 1),
        Bulk("down-16", "16 streams, server to client", "down", connections: 16),
        Echo("echo-1", connections: 1, bytes: 1),
        Echo("echo-16", connections: 16, bytes: 1),
        Echo("echo-64", connections: 64, bytes: 1),
        Echo("echo-1k-1", connections: 1, bytes: 1024),
        Echo("echo-1k-16", connections: 16, bytes: 1024),
        Echo("echo-1k-64", connections: 64, bytes: 1024),
        new Scenario
        {
            Name = "beside", Question = "1-byte echo beside 4 bulk streams (upload)", Load = ["--kind", "beside", "--connections", "4", "--bytes", "1"],
            Read = static result => [(Metric.P50, result.Latency?.P50 ?? double.NaN), (Metric.P99, result.Latency?.P99 ?? double.NaN), .. Throughput(result)],
        },
        new Scenario
        {
            Name = "connect", Question = "new connections: 16 clients connect, echo 1 byte, close; tunnels are warm",
            Load = ["--kind", "connect", "--connections", "16"], Read = Rate,
        },
        new Scenario
        {
            Name = "handshake", Question = "the same to a fresh address each time: a full mutual handshake for each",
            Load = ["--kind", "connect", "--connections", "16", "--fresh-from", Testbed.FreshFirst, "--fresh-count", Text(ZtunnelSubject.FreshAddressCount)],
            // The window must end before the fresh addresses do: 4,096 last 2.4 s at 1,700 a second.
            WarmUp = TimeSpan.FromSeconds(0.2), Measured = TimeSpan.FromSeconds(1.2), NeedsNewPair = true, IsAboutTls = true, Read = Rate,
        },
        new Scenario
        {
            Name = "idle", Question = $"resident memory at rest and for each idle connection, at 1,000 and at {ManyIdleConnections}",
            Load = ["--kind", "idle", "--steps", $"1000,{ManyIdleConnections}", "--settle", "0.5"], NeedsNewPair = true, IsAboutProxies = true,
            Read = static result => [.. AtRest(result), .. Each(result, 1, KibAt1K), .. Each(result, 2, KibAt10K)],
        },
        new Scenario
        {
            Name = "idle-tunnels", Question = "resident memory for each idle tunnel: 1,000 connections to 1,000 addresses",
            Load = ["--kind", "idle", "--fresh-from", Testbed.FreshFirst, "--fresh-count", "1000", "--settle", "0.5"], NeedsNewPair = true, IsAboutProxies = true,
            Read = static result => [.. AtRest(result), .. Each(result, 1, KibPerTunnel)],
        },
    ];

    public static IReadOnlyList<Scenario> Select(IReadOnlyList<string> names, bool isQuick)
    {
        if (names.FirstOrDefault(static name => All.All(scenario => scenario.Name != name)) is { } unknown)
        {
            throw new BenchException($"--scenarios {unknown}: expected some of {string.Join(", ", All.Select(static scenario => scenario.Name))}");
        }

        string[] leftOutWhenQuick = ["down-16", "echo-1k-1", "echo-1k-64"];
        return [.. All.Where(scenario => names.Count > 0 ? names.Contains(scenario.Name) : !isQuick || !leftOutWhenQuick.Contains(scenario.Name)).Select(scenario => isQuick ? Shorten(scenario) : scenario)];
    }

    private static Scenario Shorten(Scenario scenario) => scenario with { WarmUp = scenario.WarmUp / 1.5, Measured = scenario.Measured / 2 };

    private static Scenario Bulk(string name, string question, string kind, int connections) => new()
    {
        Name = name,
        Question = question,
        Load = ["--kind", kind, "--connections", Text(connections)],
        Read = Throughput,
    };

    private static Scenario Echo(string name, int connections, int bytes) => new()
    {
        Name = name,
        Question = $"{connections} connection{(connections == 1 ? "" : "s")}, {bytes}-byte echo, closed loop",
        Load = ["--kind", "echo", "--connections", Text(connections), "--bytes", Text(bytes)],
        Measured = TimeSpan.FromSeconds(1.5),
        Read = Rate,
    };

    private static IEnumerable<(Metric Metric, double Value)> Throughput(LoadResult result) =>
    [
        (Metric.Throughput, result.Bytes * 8 / result.Seconds / 1e9),
        (Metric.CpuPerGib, result.CpuSeconds.Sum() / (result.Bytes / Gib)),
    ];

    private static IEnumerable<(Metric Metric, double Value)> Rate(LoadResult result) =>
    [
        (Metric.Rate, result.Operations / result.Seconds),
        (Metric.CpuPer100K, result.CpuSeconds.Sum() / result.Operations * 100_000),
        (Metric.P50, result.Latency?.P50 ?? double.NaN),
        (Metric.P99, result.Latency?.P99 ?? double.NaN),
    ];

    private static IEnumerable<(Metric Metric, double Value)> AtRest(LoadResult result) =>
    [
        (Metric.RestClient, result.Memory[0].ResidentBytes[0] / 1024.0 / 1024),
        (Metric.RestServer, result.Memory[0].ResidentBytes[1] / 1024.0 / 1024),
    ];

    /// <summary>Growth since the first connection, for each further one, on the two sides.</summary>
    private static IEnumerable<(Metric Metric, double Value)> Each(LoadResult result, int point, Metric[] sides)
    {
        MemoryPoint first = result.Memory[0];
        MemoryPoint now = result.Memory[point];
        return sides.Select((metric, side) => (metric, (now.ResidentBytes[side] - first.ResidentBytes[side]) / 1024.0 / (now.Connections - first.Connections)));
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
