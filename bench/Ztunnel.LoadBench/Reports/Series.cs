using Ztunnel.LoadBench.Scenarios;

namespace Ztunnel.LoadBench.Reports;

/// <summary>The repetitions of one metric for one subject in one scenario.</summary>
internal sealed record Series(Metric Metric, double[] Values)
{
    public double Median
    {
        get
        {
            double[] sorted = [.. Values.Order()];
            int middle = sorted.Length / 2;
            return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        }
    }

    /// <summary>Largest minus smallest, as a share of the median: what a difference has to exceed to mean something.</summary>
    public double Spread => (Values.Max() - Values.Min()) / Median;
}

/// <summary>What one subject answered to one scenario; an error instead of numbers where it failed.</summary>
internal sealed record Answer(string Subject, IReadOnlyList<Series> Series, double ForeignCpuShare, double LoadCpuShare, string? Error)
{
    public Series? Find(Metric metric) => Series.FirstOrDefault(series => series.Metric.Key == metric.Key);
}

internal sealed record ScenarioReport(Scenario Scenario, IReadOnlyList<Answer> Answers)
{
    public double Median(string subject, Metric metric) => Answers.FirstOrDefault(answer => answer.Subject == subject)?.Find(metric)?.Median ?? double.NaN;
}
