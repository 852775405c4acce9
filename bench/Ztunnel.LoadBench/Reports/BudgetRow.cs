using System.Globalization;
using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Reports;

/// <summary>A limit that a number must not pass, from above or from below.</summary>
internal sealed record Bound(double Limit, bool IsUpper)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(IsUpper ? "≤" : "≥")} {Limit:0.##}");
}

/// <summary>A budget and where this run stands.</summary>
internal sealed record BudgetRow(string What, Bound Bound, double Value)
{
    public bool IsMet => Bound.IsUpper ? Value <= Bound.Limit : Value >= Bound.Limit;

    /// <summary>How far beyond its limit the value is, as a share of the limit; a limit of zero is missed by as many as there are.</summary>
    public double Distance => Math.Abs(Value - Bound.Limit) / (Bound.Limit == 0 ? 1 : Bound.Limit);

    /// <summary>Lines of "what TAB at-most|at-least TAB limit TAB value", as the scripts of bench/ write them.</summary>
    public static IEnumerable<BudgetRow> ReadFile(string path)
    {
        foreach (string line in File.ReadLines(path).Where(static line => line.Length > 0))
        {
            string[] fields = line.Split('\t');
            if (fields.Length != 4 || fields[1] is not ("at-most" or "at-least")
                || !double.TryParse(fields[2], CultureInfo.InvariantCulture, out double limit) || !double.TryParse(fields[3], CultureInfo.InvariantCulture, out double value))
            {
                throw new BenchException($"{path}: `{line}`: expected what, at-most or at-least, limit and value, separated by tabs");
            }

            yield return new BudgetRow(fields[0], new Bound(limit, fields[1] == "at-most"), value);
        }
    }
}
