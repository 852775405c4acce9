using Ztunnel.LoadBench.Scenarios;

namespace Ztunnel.LoadBench.Reports;

/// <summary>The charts of a run: the questions that a reader asks first, each as one file.</summary>
internal static class ChartBook
{
    private static readonly Chart[] Charts =
    [
        new("cpu-per-gib", "CPU of both proxies for each GiB: less is better", "seconds", Metric.CpuPerGib, ["up-1", "up-16", "down-1", "down-16"]),
        new("throughput", "Throughput: more is better", "Gbit/s", Metric.Throughput, ["up-1", "up-16", "down-1", "down-16"]),
        new("echo-rate", "1-byte echoes, closed loop: more is better", "requests/s", Metric.Rate, ["echo-1", "echo-16", "echo-64", "echo-256"]),
        new("echo-cpu", "CPU of both proxies for 100,000 echoes: less is better", "seconds", Metric.CpuPer100K, ["echo-16", "echo-64", "open-1"]),
        new("latency", "p99 at the same fixed rate for all: less is better", "µs", Metric.P99, ["open-1", "open-1k", "open-16k"]),
        new("connect", "New connections, tunnels warm, and full handshakes: more is better", "1/s", Metric.Rate, ["connect", "handshake"]),
        new("memory", "Memory of the client-side proxy for each idle connection: less is better", "KiB at 10,000", Metric.KibAt10K[0], [IdleScenarios.Idle]),
    ];

    public static void Write(string folder, MachineFacts facts, IReadOnlyList<ScenarioReport> reports)
    {
        foreach (Chart chart in Charts)
        {
            var drawn = new BarChart(chart.Title, facts.ToLine(), chart.Unit);
            foreach (ScenarioReport report in reports.Where(report => chart.Scenarios.Contains(report.Scenario.Name)))
            {
                drawn.AddGroup($"{report.Scenario.Name}: {report.Scenario.Question}", Bars(report, chart.Metric));
            }

            if (!drawn.IsEmpty)
            {
                File.WriteAllText(Path.Combine(folder, chart.Name + ".svg"), drawn.ToSvg());
            }
        }
    }

    private static IEnumerable<Bar> Bars(ScenarioReport report, Metric metric) =>
        from answer in report.Answers
        let series = answer.Find(metric)
        where series is not null && double.IsFinite(series.Median) && series.Median > 0
        select new Bar(answer.Subject, series.Median, series.Values.Min(), series.Values.Max(), metric.Decimals, ColourOf(answer.Subject));

    private static string ColourOf(string subject) => subject.StartsWith("ztunnel", StringComparison.Ordinal) ? "#1565c0" : subject is "direct" or "relay" ? "#bdbdbd" : "#90a4ae";

    private sealed record Chart(string Name, string Title, string Unit, Metric Metric, string[] Scenarios);
}
