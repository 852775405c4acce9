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
        new("echo beside 4 bulk streams: throughput they keep, %", "beside", Metric.Kept, null, AtLeast(80)),
        new("echo beside 4 bulk streams down, p50 µs", "beside-down", Metric.P50, null, AtMost(1000)),
        new("echo beside 4 bulk streams down, p99 µs", "beside-down", Metric.P99, null, AtMost(5000)),
        new("echo beside 4 bulk streams down: throughput they keep, %", "beside-down", Metric.Kept, null, AtLeast(80)),
        new("KiB per idle tunnelled connection at 10k, client side", IdleScenarios.Idle, Metric.KibAt10K[0], null, AtMost(1.2)),
        new("KiB per idle tunnelled connection at 10k, server side", IdleScenarios.Idle, Metric.KibAt10K[1], null, AtMost(1.2)),
        new("KiB per idle tunnel, client side", IdleScenarios.Tunnels, Metric.KibPerTunnel[0], null, AtMost(6)),
        new("KiB per idle tunnel, server side", IdleScenarios.Tunnels, Metric.KibPerTunnel[1], null, AtMost(6)),
        new("memory 1 minute after 50,000 connections came and went × at rest", IdleScenarios.Idle, Metric.LeftMinute, null, AtMost(1.5)),
        new("descriptors left 1 minute after them", IdleScenarios.Idle, Metric.DescriptorsMinute, null, AtMost(0)),
        new("descriptors left 5 minutes after them", IdleScenarios.Idle, Metric.DescriptorsFive, null, AtMost(0)),
        new("MiB at rest (one pod)", IdleScenarios.Idle, Metric.RestServer, null, AtMost(20)),
        new("CPU per GiB with 2 loops × 1 loop, 16 streams up", "up-16", Metric.CpuPerGib, Ours, AtMost(1.08), Subject: "ztunnel-2"),
        new("CPU per request with 2 loops × 1 loop, 64 connections", "echo-64", Metric.CpuPer100K, Ours, AtMost(1.08), Subject: "ztunnel-2"),
    ];

    public static IEnumerable<BudgetRow> Evaluate(IReadOnlyList<ScenarioReport> reports, bool isDebian13, double aesSecondsPerGib)
    {
        IEnumerable<BudgetRow> rows = Budgets.Where(budget => budget.Land == Land.Any || budget.Land == (isDebian13 ? Land.Debian13 : Land.Own))
            .Select(budget => new BudgetRow(budget.What, budget.Bound, ValueOf(reports, budget)));
        // What nobody can save: moving the bytes, and sealing and opening each once.
        IEnumerable<BudgetRow> aboveFloor = from scenario in new[] { "up-1", "up-16", "down-1", "down-16" }
                                            let floor = Median(reports, scenario, "relay", Metric.CpuPerGib) + (2 * aesSecondsPerGib)
                                            select new BudgetRow($"CPU per GiB, {scenario}, × (plain relay pair + AES-256-GCM twice)", AtMost(1.15), Median(reports, scenario, Ours, Metric.CpuPerGib) / floor);
        return rows.Concat(isDebian13 ? aboveFloor : []).Where(static row => double.IsFinite(row.Value));
    }

    /// <summary>What was missed comes first, the farthest before the nearer.</summary>
    public static string Write(IReadOnlyList<BudgetRow> rows)
    {
        var text = new StringBuilder();
        foreach (BudgetRow row in rows.OrderBy(static row => row.IsMet).ThenBy(static row => row.IsMet ? 0 : -row.Distance))
        {
            text.Append(CultureInfo.InvariantCulture, $"| {row.What} | {row.Bound} | {row.Value:0.##} | {(row.IsMet ? "" : string.Create(CultureInfo.InvariantCulture, $"missed by {row.Distance * 100:0} %"))} |\n");
        }

        return text.Length == 0 ? "" : $"\n### Budgets: {rows.Count(static row => !row.IsMet)} of {rows.Count} missed\n\n| what | budget | measured | |\n|---|---|---:|---|\n{text}";
    }

    private static Bound AtMost(double limit) => new(limit, IsUpper: true);

    private static Bound AtLeast(double limit) => new(limit, IsUpper: false);

    private static double ValueOf(IReadOnlyList<ScenarioReport> reports, Budget budget) =>
        Median(reports, budget.Scenario, budget.Subject, budget.Metric) / (budget.Reference is null ? 1 : Median(reports, budget.Scenario, budget.Reference, budget.Metric));

    private static double Median(IReadOnlyList<ScenarioReport> reports, string scenario, string subject, Metric metric) =>
        reports.FirstOrDefault(report => report.Scenario.Name == scenario)?.Median(subject, metric) ?? double.NaN;

    private sealed record Budget(string What, string Scenario, Metric Metric, string? Reference, Bound Bound, Land Land = Land.Any, string Subject = Ours);
}
