using System.Globalization;
using System.Text;
using Ztunnel.LoadBench.Scenarios;

namespace Ztunnel.LoadBench.Reports;

/// <summary>Markdown tables that are also readable on a terminal: for each metric the median, the spread, and the ratio to nginx and to the floor.</summary>
internal static class TableWriter
{
    private const string Peer = "nginx";
    private const string Floor = "relay";

    /// <summary>Strangers on the processors beyond this share make a row doubtful.</summary>
    private const double ForeignShareWorthSaying = 0.1;

    public static string Write(IEnumerable<ScenarioReport> reports)
    {
        var text = new StringBuilder();
        foreach (ScenarioReport report in reports)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n### {report.Scenario.Name}: {report.Scenario.Question}\n\n");
            WriteRows(text, Rows(report));
        }

        return text.ToString();
    }

    private static List<string[]> Rows(ScenarioReport report)
    {
        Metric[] metrics = [.. report.Answers.SelectMany(static answer => answer.Series).Select(static series => series.Metric).DistinctBy(static metric => metric.Key)];
        bool hasPeer = report.Answers.Any(static answer => answer.Subject == Peer);
        bool hasFloor = report.Answers.Any(static answer => answer.Subject == Floor);
        List<string[]> rows = [["subject", .. metrics.SelectMany(metric => Headings(metric, hasPeer, hasFloor)), "strangers"]];
        foreach (Answer answer in report.Answers)
        {
            rows.Add(answer.Error is not null ? [answer.Subject, $"failed: {answer.Error.Split('\n')[0]}"]
                : [answer.Subject, .. metrics.SelectMany(metric => Cells(report, answer, metric, hasPeer, hasFloor)), answer.ForeignCpuShare > ForeignShareWorthSaying ? Percent(answer.ForeignCpuShare) : ""]);
        }

        return rows;
    }

    private static IEnumerable<string> Headings(Metric metric, bool hasPeer, bool hasFloor) =>
        [metric.Heading, "±", .. hasPeer ? ["×nginx"] : Array.Empty<string>(), .. hasFloor ? ["×floor"] : Array.Empty<string>()];

    private static IEnumerable<string> Cells(ScenarioReport report, Answer answer, Metric metric, bool hasPeer, bool hasFloor)
    {
        Series? series = answer.Find(metric);
        yield return series is null ? "" : series.Median.ToString($"N{metric.Decimals}", CultureInfo.InvariantCulture);
        yield return series is null || !double.IsFinite(series.Spread) ? "" : Percent(series.Spread);
        if (hasPeer)
        {
            yield return Ratio(series, report.Median(Peer, metric));
        }

        if (hasFloor)
        {
            yield return Ratio(series, report.Median(Floor, metric));
        }
    }

    private static string Ratio(Series? series, double reference) =>
        series is null || !double.IsFinite(series.Median / reference) || series.Median == 0 ? "" : (series.Median / reference).ToString("N2", CultureInfo.InvariantCulture);

    private static string Percent(double share) => (share * 100).ToString("N0", CultureInfo.InvariantCulture) + "%";

    private static void WriteRows(StringBuilder text, List<string[]> rows)
    {
        int columns = rows[0].Length;
        int[] widths = [.. Enumerable.Range(0, columns).Select(column => rows.Where(row => row.Length == columns).Max(row => row[column].Length))];
        for (int index = 0; index < rows.Count; index++)
        {
            string[] row = rows[index];
            text.Append("| ").AppendJoin(" | ", row.Select((cell, column) => row.Length != columns || column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]))).Append(" |\n");
            if (index == 0)
            {
                text.Append('|').AppendJoin('|', widths.Select(static (width, column) => column == 0 ? new string('-', width + 2) : new string('-', width + 1) + ":")).Append("|\n");
            }
        }
    }
}
