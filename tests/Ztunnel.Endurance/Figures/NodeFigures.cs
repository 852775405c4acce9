using System.Globalization;
using System.Text.Json;
using Ztunnel.Endurance.Network;

namespace Ztunnel.Endurance.Figures;

/// <summary>What a ztunnel holds at one moment, read from /proc, /debug/state and /metrics: each figure with what it may be above its baseline.</summary>
internal sealed class NodeFigures
{
    // Memory at rest is what the allocators kept, not what is in use: it may be a quarter above the baseline, plus one arena.
    private const double MemoryFactor = 1.25;
    private const double MemoryAllowanceMiB = 4;

    // The runtime's pool keeps threads for a while that a burst of certificates needed.
    private const double ThreadAllowance = 4;

    private readonly SortedDictionary<string, double> _values = new(StringComparer.Ordinal);

    /// <summary>Nothing of the load is left: no connection, no stream, no tunnel.</summary>
    public bool IsQuiet => _values["connections"] + _values["streams"] + _values["tunnels"] == 0;

    public static async Task<NodeFigures> ReadAsync(SoakNode node)
    {
        var figures = new NodeFigures();
        SortedDictionary<string, double> values = figures._values;
        JsonElement state = await node.ReadStateAsync();
        string[] metrics = [.. (await node.ReadMetricsAsync()).Split('\n').Where(static line => line.Length > 0 && line[0] != '#')];
        JsonElement[] loops = [.. state.GetProperty("loops").EnumerateArray()];
        values["watched sockets"] = loops.Sum(static loop => loop.GetProperty("watched").GetInt64());
        values["armed timers"] = loops.Sum(static loop => loop.GetProperty("armedTimers").GetInt64());
        values["buffered bytes"] = loops.Sum(static loop => loop.GetProperty("rentedBytes").GetInt64());
        values["pods"] = state.GetProperty("podCount").GetInt64();
        values["certificates"] = state.GetProperty("certificates").GetArrayLength();
        values["connections"] = Sum(metrics, "ztunnel_pod_connections_open");
        values["open sockets"] = Sum(metrics, "istio_tcp_sockets_open");
        values["streams"] = Sum(metrics, "ztunnel_streams_open");
        values["tunnels"] = Sum(metrics, "ztunnel_tunnels_open");
        values["traffic series"] = metrics.Count(static line => line.Contains("source_workload=", StringComparison.Ordinal));
        // Series by reason or result are as many as there are reasons and results.
        values["other series"] = metrics.Count(static line => !line.Contains("source_workload=", StringComparison.Ordinal) && !line.Contains("reason=", StringComparison.Ordinal) && !line.Contains("result=", StringComparison.Ordinal) && !line.Contains("code=", StringComparison.Ordinal));
        string process = $"/proc/{node.Process}";
        values["descriptors"] = Directory.EnumerateFileSystemEntries($"{process}/fd").Count();
        values["threads"] = Directory.EnumerateDirectories($"{process}/task").Count();
        values["resident MiB"] = Math.Round(File.ReadLines($"{process}/status").Where(static line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Select(static line => double.Parse(line.AsSpan(6, line.Length - 8), CultureInfo.InvariantCulture)).Single() / 1024, 1);
        return figures;
    }

    /// <summary>The figures that are above what this baseline allows, in words.</summary>
    public IReadOnlyList<string> Above(NodeFigures baseline) =>
        [.. _values.Where(value => value.Value > Allowed(value.Key, baseline._values[value.Key])).Select(value => $"{value.Key} {Text(value.Value)} (baseline {Text(baseline._values[value.Key])})")];

    /// <summary>Equal but for what breathes at rest: memory, threads, and the connections to the authority that each renewal of a certificate opens anew.</summary>
    public bool IsSameAs(NodeFigures other) => _values.All(value => value.Key is "resident MiB" or "threads" or "descriptors" || other._values[value.Key] == value.Value);

    public override string ToString() => string.Join(", ", _values.Select(static value => $"{value.Key} {Text(value.Value)}"));

    private static double Allowed(string name, double baseline) => name switch
    {
        "resident MiB" => (baseline * MemoryFactor) + MemoryAllowanceMiB,
        // A renewal may be under way in either reading.
        "descriptors" => baseline + 1,
        "threads" => baseline + ThreadAllowance,
        _ => baseline,
    };

    /// <summary>A family's samples together, whatever their labels.</summary>
    public static double Sum(string[] metrics, string family) =>
        metrics.Where(line => line.StartsWith(family, StringComparison.Ordinal) && line[family.Length] is '{' or ' ').Sum(static line => double.Parse(line.AsSpan(line.LastIndexOf(' ') + 1), CultureInfo.InvariantCulture));

    private static string Text(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);
}
