using System.Globalization;
using Ztunnel.LoadBench.Subjects;
using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Scenarios;

/// <summary>All scenarios by name, in the order they run. A new one is an entry here; a new kind of load is a class in Load.</summary>
internal static class ScenarioCatalogue
{
    /// <summary>Of these a quick run asks: the budgets about speed. Those about memory need minutes of rest.</summary>
    private static readonly string[] Quick = ["up-1", "up-16", "down-1", "echo-1", "echo-16", "echo-64", "open-1", "beside", "beside-down", "connect", "handshake"];

    public static IReadOnlyList<Scenario> All(bool isQuick) =>
    [
        .. new[] { 1, 4, 16, 64 }.Select(static streams => Bulk("up", streams)),
        .. new[] { 1, 4, 16, 64 }.Select(static streams => Bulk("down", streams)),
        .. from bytes in new[] { 1, 1024, 16 * 1024 } from connections in new[] { 1, 16, 64, 256 } select Echo(connections, bytes),
        Open("open-1", bytes: 1, rate: 8000),
        Open("open-1k", bytes: 1024, rate: 8000),
        Open("open-16k", bytes: 16 * 1024, rate: 2000),
        Spread("few-tunnels", "echo", connections: 512, addresses: 2),
        Spread("many-tunnels", "echo", connections: 512, addresses: 256),
        Spread("up-16-tunnels", "up", connections: 16, addresses: 16),
        Beside("beside", "1-byte echo beside 4 bulk streams up, through the same tunnel", "beside", mice: 1, bytes: 1),
        Beside("beside-down", "1-byte echo beside 4 bulk streams down, through the same tunnel", "beside-down", mice: 1, bytes: 1),
        Beside("beside-16", "16 connections with 1 KiB echo beside 4 bulk streams up", "beside", mice: 16, bytes: 1024),
        new Scenario
        {
            Name = "connect", Question = "new connections: 16 clients connect, echo 1 byte, close; tunnels are warm",
            Load = static _ => ["--kind", "connect", "--connections", "16"], IsCore = true, Read = Readings.Rate,
        },
        new Scenario
        {
            Name = "handshake", Question = "the same to a fresh address each time: a full mutual handshake for each",
            Load = static _ => ["--kind", "connect", "--connections", "16", .. FreshAddresses(ZtunnelSubject.FreshAddressCount)],
            // The window must end before the fresh addresses do: 4,096 last 2.4 s at 1,700 a second.
            WarmUp = TimeSpan.FromSeconds(0.2), Measured = TimeSpan.FromSeconds(1.2), NeedsNewPair = true, IsAboutTls = true, Read = Readings.Rate,
        },
        .. IdleScenarios.All(isQuick),
    ];

    public static IReadOnlyList<Scenario> Select(IReadOnlyList<string> names, bool isQuick)
    {
        IReadOnlyList<Scenario> all = All(isQuick);
        if (names.FirstOrDefault(name => all.All(scenario => scenario.Name != name)) is { } unknown)
        {
            throw new BenchException($"--scenarios {unknown}: expected some of {string.Join(", ", all.Select(static scenario => scenario.Name))}");
        }

        IEnumerable<Scenario> chosen = names.Count > 0 ? all.Where(scenario => names.Contains(scenario.Name)) : isQuick ? all.Where(static scenario => Quick.Contains(scenario.Name)) : all;
        return [.. isQuick ? chosen.Select(Shorten) : chosen];
    }

    private static Scenario Shorten(Scenario scenario) => scenario with { WarmUp = scenario.WarmUp / 1.5, Measured = scenario.Measured / 2 };

    private static Scenario Bulk(string direction, int streams) => new()
    {
        Name = $"{direction}-{streams}",
        Question = $"{Count(streams, "stream")}, {(direction == "up" ? "client to server" : "server to client")}",
        Load = _ => ["--kind", direction, "--connections", Text(streams)],
        IsCore = streams == 1 || (streams == 16 && direction == "up"),
        Read = Readings.Throughput,
    };

    private static Scenario Echo(int connections, int bytes) => new()
    {
        Name = $"echo{(bytes >= 1024 ? $"-{bytes / 1024}k" : "")}-{connections}",
        Question = $"{Count(connections, "connection")}, {Size(bytes)} echo, closed loop",
        Load = _ => ["--kind", "echo", "--connections", Text(connections), "--bytes", Text(bytes)],
        Measured = TimeSpan.FromSeconds(1),
        IsCore = bytes == 1 && connections is 1 or 64,
        Read = Readings.Rate,
    };

    private static Scenario Open(string name, int bytes, int rate) => new()
    {
        Name = name,
        Question = $"64 connections, {Size(bytes)} echo at {rate.ToString("N0", CultureInfo.InvariantCulture)} requests/s for every subject, latency from the moment a request was due",
        Load = _ => ["--kind", "open", "--connections", "64", "--bytes", Text(bytes), "--rate", Text(rate)],
        Read = Readings.Rate,
    };

    private static Scenario Spread(string name, string kind, int connections, int addresses) => new()
    {
        Name = name,
        Question = $"{connections} {(kind == "up" ? "streams, client to server" : "connections, 1-byte echo, closed loop")}, spread over {addresses} destinations",
        Load = _ => ["--kind", kind, "--connections", Text(connections), .. kind == "echo" ? ["--bytes", "1"] : Array.Empty<string>(), .. FreshAddresses(addresses)],
        Read = kind == "up" ? Readings.Throughput : Readings.Rate,
    };

    private static Scenario Beside(string name, string question, string kind, int mice, int bytes) => new()
    {
        Name = name,
        Question = question,
        Load = _ => ["--kind", kind, "--connections", "4", "--mice", Text(mice), "--bytes", Text(bytes)],
        // The window is there twice: bulk alone, then bulk and mice.
        SetupLimit = TimeSpan.FromSeconds(70),
        Read = Readings.Beside,
    };

    private static string[] FreshAddresses(int count) => ["--fresh-from", Testbed.FreshFirst, "--fresh-count", Text(count)];

    private static string Count(int number, string what) => $"{number} {what}{(number == 1 ? "" : "s")}";

    private static string Size(int bytes) => bytes >= 1024 ? $"{bytes / 1024} KiB" : $"{bytes}-byte";

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
