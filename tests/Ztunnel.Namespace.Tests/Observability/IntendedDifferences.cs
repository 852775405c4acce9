using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Ztunnel.Namespace.Tests.Observability;

/// <summary>Where ours differs from the recording on purpose. Everything that is not listed here has to be the same.</summary>
internal static partial class IntendedDifferences
{
    /// <summary>An application that resets its connection is no success: the reset arrives at the other application, and both logs and metrics say so (design section 7).</summary>
    private const string ServerResets = "server resets";

    /// <summary>The words about a peer that does not speak TLS are those of the TLS library; so is the alert (unexpected_message rather than protocol_version).</summary>
    private const string NoTls = "plaintext from outside to 15008 directly (no TLS)";

    // The recording's file source left a workload's own services empty (reference, fact 45). With the services known, as a control plane sends them, both programs name the service at the destination, too (data-path 8.4).
    private static readonly string[] PortsOfService = ["8080", "8081", "8082"];
    private const string ServiceAtDestination = "\"b.default.svc.cluster.local\"";

    private static readonly LineChange[] Changes =
    [
        new(ServerResets, "a", "level", "error", Behind: ""),
        new(ServerResets, "a", "error", "\"io error: stream error received: stream no longer needed\"", Behind: "duration"),
        new(ServerResets, "b", "level", "error", Behind: ""),
        new(ServerResets, "b", "error", "\"io error: Connection reset by peer (os error 104)\"", Behind: "duration"),
        new(NoTls, "b", "error", "\"tls handshake error: the first bytes are not a TLS record\"", Behind: "direction"),
    ];

    // Of the one connection that the server resets: its end is a failure here.
    private static readonly SeriesChange[] SeriesChanges =
    [
        new("istio_tcp_connections_closed_total", "-", -1),
        new("istio_tcp_connections_closed_total", "CONNECT", 1),
        new("istio_tcp_connections_failed_total", "CONNECT", 1),
    ];

    /// <summary>What the client should have printed. A refusal is always a reset: the recorded program resets when it has unread data and ends in order when it has none.</summary>
    public static string Client(RecordedScenario scenario) =>
        scenario.Title == NoTls ? "connected\nsent 7\nrecv b'\\x15\\x03\\x03\\x00\\x02\\x02\\n'\nshut\nrecv b''"
        : scenario.IsCurl || HasData(scenario.Transcript) ? string.Join('\n', scenario.Transcript)
        : "refused";

    /// <summary>The same of what it printed here; when the reset is noticed is a matter of chance.</summary>
    public static string ClientHere(string[] transcript) => transcript[^1] == "then: ConnectionResetError" && !HasData(transcript) ? "refused" : string.Join('\n', transcript);

    public static LogFields Line(string scenario, string proxy, LogFields recorded, bool json)
    {
        LogFields expected = recorded;
        foreach (LineChange change in Changes.Where(change => change.Scenario == scenario && change.Proxy == proxy))
            expected = expected.With(change.Field, json && !change.Value.StartsWith('"') ? $"\"{change.Value}\"" : change.Value, change.Behind);
        if (expected["direction"] == "\"inbound\"" && expected["dst.workload"] is not null && PortsOfService.Contains(Port(expected["dst.hbone_addr"] ?? expected["dst.addr"]!)))
            expected = expected.With("dst.service", ServiceAtDestination, behind: expected["dst.hbone_addr"] is null ? "dst.addr" : "dst.hbone_addr");
        return expected;
    }

    /// <summary>The recorded series with their values, as they should be here.</summary>
    public static IEnumerable<string> Series(IEnumerable<string> recorded)
    {
        Dictionary<string, double> series = Sum(recorded);
        foreach (SeriesChange change in SeriesChanges)
        {
            // The connection from a to b by pod address: no service, both workloads known.
            string key = series.Keys.Single(name => name.StartsWith(change.Family + "{", StringComparison.Ordinal) && name.Contains("source_workload=\"client\"", StringComparison.Ordinal)
                && name.Contains("destination_service=\"unknown\"", StringComparison.Ordinal) && name.Contains("destination_workload=\"server\"", StringComparison.Ordinal)
                && name.Contains($"response_flags=\"{change.Flag}\"", StringComparison.Ordinal));
            series[key] += change.By;
        }

        return Lines(series);
    }

    /// <summary>The series of ours without the service at the destination.</summary>
    public static IEnumerable<string> SeriesHere(IEnumerable<string> ours) => Lines(Sum(ours.Select(static line =>
        line.Contains("reporter=\"destination\"", StringComparison.Ordinal) ? ServiceLabels().Replace(line, static match => match.Groups[1].Value + "=\"unknown\"") : line)));

    /// <summary>
    /// How many tunnels are open at the end is not compared: the recorded program has one for all of a pod's connections, ours has one for each loop that had a connection.
    /// </summary>
    public static bool IsCompared(string sample) => sample.StartsWith("istio_", StringComparison.Ordinal) && !sample.StartsWith("istio_tcp_sockets_open{reporter=\"destination\"}", StringComparison.Ordinal);

    /// <summary>Where the dump has what kind of value. What the resolver library of the recorded program is set to is no setting of ours.</summary>
    public static IEnumerable<string> Structure(JsonDocument dump) => Structure(dump.RootElement, "").Distinct().Order(StringComparer.Ordinal)
        .Where(static path => !path.StartsWith("/config/dnsResolver", StringComparison.Ordinal)
            // With the services known, workloads name theirs (see ServiceAtDestination).
            && !path.StartsWith("/workloads[]/services", StringComparison.Ordinal));

    private static IEnumerable<string> Structure(JsonElement value, string path) => value.ValueKind switch
    {
        JsonValueKind.Object => [$"{path} {value.ValueKind}", .. value.EnumerateObject().SelectMany(property => Structure(property.Value, $"{path}/{property.Name}"))],
        JsonValueKind.Array => [$"{path} {value.ValueKind}", .. value.EnumerateArray().SelectMany(item => Structure(item, path + "[]"))],
        JsonValueKind.True or JsonValueKind.False => [$"{path} Boolean"],
        _ => [$"{path} {value.ValueKind}"],
    };

    private static bool HasData(string[] transcript) => Array.Exists(transcript, static line => line.StartsWith("recv b'", StringComparison.Ordinal) && line != "recv b''");

    private static string Port(string address) => address.Trim('"')[(address.Trim('"').LastIndexOf(':') + 1)..];

    private static Dictionary<string, double> Sum(IEnumerable<string> samples) => samples
        .GroupBy(static line => line[..line.LastIndexOf(' ')])
        .ToDictionary(static group => group.Key, static group => group.Sum(static line => double.Parse(line.AsSpan(line.LastIndexOf(' ') + 1), CultureInfo.InvariantCulture)));

    private static IEnumerable<string> Lines(Dictionary<string, double> series) => series.Select(static pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value}"));

    [GeneratedRegex("(destination_service(?:_namespace|_name)?)=\"[^\"]*\"")]
    private static partial Regex ServiceLabels();

    private sealed record LineChange(string Scenario, string Proxy, string Field, string Value, string Behind);

    private sealed record SeriesChange(string Family, string Flag, double By);
}
