using System.Globalization;
using System.Text;
using Ztunnel.LoadBench.Scenarios;

namespace Ztunnel.LoadBench.Reports;

/// <summary>The budgets of the data path as ratios within one run, and where this run stands. None is a test: a number belongs to a machine and a day.</summary>
internal static class BudgetTable
{
    private const string Ours = "ztunnel";

    /// <summary>Without the root of another Debian: this machine's OpenSSL, 3.0 on Debian 12. With it: OpenSSL 3.5, what the container ships.</summary>
    private enum Land
    {
        Any,
        Own,
        Debian13,
    }

    private static readonly Budget[] Budgets =
    [
        new("CPU per GiB, 1 stream up, × nginx", "up-1", Metric.CpuPerGib, "nginx", AtMost(0.72), Land.Own),
        new("CPU per GiB, 16 streams up, × nginx", "up-16", Metric.CpuPerGib, "nginx", AtMost(0.72), Land.Own),
        new("CPU per GiB, 1 stream down, × nginx", "down-1", Metric.CpuPerGib, "nginx", AtMost(0.72), Land.Own),
        new("CPU per GiB, 1 stream up, × haproxy", "up-1", Metric.CpuPerGib, "haproxy", AtMost(0.72), Land.Debian13),
        new("CPU per GiB, 16 streams up, × haproxy", "up-16", Metric.CpuPerGib, "haproxy", AtMost(0.65), Land.Debian13),
        new("CPU per GiB, 1 stream down, × haproxy", "down-1", Metric.CpuPerGib, "haproxy", AtMost(0.72), Land.Debian13),
        new("64 connections, 1-byte echo: requests/s × nginx", "echo-64", Metric.Rate, "nginx", AtLeast(1.8)),
        new("64 connections, 1-byte echo: CPU per request × nginx", "echo-64", Metric.CpuPer100K, "nginx", AtMost(0.38)),
        new("16 connections, 1-byte echo: requests/s × nginx", "echo-16", Metric.Rate, "nginx", AtLeast(1.45)),
        new("16 connections, 1-byte echo: CPU per request × nginx", "echo-16", Metric.CpuPer100K, "nginx", AtMost(0.55)),
        new("lone 1-byte ping-pong, p50 × nginx", "echo-1", Metric.P50, "nginx", AtMost(0.88)),
        new("new connections/s over a warm tunnel × plain relay pair", "connect", Metric.Rate, "relay", AtLeast(1.2)),
        new("cold mutual handshakes/s × nginx", "handshake", Metric.Rate, "nginx", AtLeast(0.95)),
        new("echo beside 4 bulk streams, p50 µs", "beside", Metric.P50, null, AtMost(1000)),
        new("echo beside 4 bulk streams, p99 µs", "beside", Metric.P99, null, AtMost(5000)),
        new("KiB per idle tunnelled connection at 10k, client side", "idle", ScenarioCatalogue.KibAt10K[0], null, AtMost(1.2)),
        new("KiB per idle tunnelled connection at 10k, server side", "idle", ScenarioCatalogue.KibAt10K[1], null, AtMost(1.2)),
        new("KiB per idle tunnel, client side", "idle-tunnels", ScenarioCatalogue.KibPerTunnel[0], null, AtMost(6)),
        new("KiB per idle tunnel, server side", "idle-tunnels", ScenarioCatalogue.KibPerTunnel[1], null, AtMost(6)),
        new("MiB at rest (one pod)", "idle", Metric.RestServer, null, AtMost(20)),
        new("CPU per GiB with 2 loops × 1 loop, 16 streams up", "up-16", Metric.CpuPerGib, Ours, AtMost(1.08), Subject: "ztunnel-2"),
        new("CPU per request with 2 loops × 1 loop, 64 connections", "echo-64", Metric.CpuPer100K, Ours, AtMost(1.08), Subject: "ztunnel-2"),
    ];

    public static string Write(IReadOnlyList<ScenarioReport> reports, bool isDebian13, double aesSecondsPerGib)
    {
        var text = new StringBuilder();
        foreach (Budget budget in Budgets.Where(budget => budget.Land == Land.Any || budget.Land == (isDebian13 ? Land.Debian13 : Land.Own)))
        {
            double value = ValueOf(reports, budget);
            if (double.IsFinite(value))
            {
                Append(text, budget.What, budget.Bound, value);
            }
        }

        // What nobody can save: moving the bytes, and sealing and opening each once.
        foreach (string scenario in new[] { "up-1", "up-16", "down-1" })
        {
            double floor = Median(reports, scenario, "relay", Metric.CpuPerGib) + (2 * aesSecondsPerGib);
            double value = Median(reports, scenario, Ours, Metric.CpuPerGib) / floor;
            if (isDebian13 && double.IsFinite(value))
            {
                Append(text, $"CPU per GiB, {scenario}, × (plain relay pair + AES-256-GCM twice)", AtMost(1.15), value);
            }
        }

        return text.Length == 0 ? "" : $"\n### Budgets\n\n| what | budget | measured | |\n|---|---|---:|---|\n{text}";
    }

    private static Bound AtMost(double limit) => new(limit, IsUpper: true);

    private static Bound AtLeast(double limit) => new(limit, IsUpper: false);

    private static double ValueOf(IReadOnlyList<ScenarioReport> reports, Budget budget) =>
        Median(reports, budget.Scenario, budget.Subject, budget.Metric) / (budget.Reference is null ? 1 : Median(reports, budget.Scenario, budget.Reference, budget.Metric));

    private static double Median(IReadOnlyList<ScenarioReport> reports, string scenario, string subject, Metric metric) =>
        reports.FirstOrDefault(report => report.Scenario.Name == scenario)?.Median(subject, metric) ?? double.NaN;

    private static void Append(StringBuilder text, string what, Bound bound, double value)
    {
        bool isMet = bound.IsUpper ? value <= bound.Limit : value >= bound.Limit;
        text.Append(CultureInfo.InvariantCulture, $"| {what} | {(bound.IsUpper ? "≤" : "≥")} {bound.Limit:0.##} | {value:0.##} | {(isMet ? "" : "missed")} |\n");
    }

    private sealed record Bound(double Limit, bool IsUpper);

    private sealed record Budget(string What, string Scenario, Metric Metric, string? Reference, Bound Bound, Land Land = Land.Any, string Subject = Ours);
}
