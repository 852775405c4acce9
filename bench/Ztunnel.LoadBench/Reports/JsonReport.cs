using System.Text.Json;

namespace Ztunnel.LoadBench.Reports;

/// <summary>Everything that was measured, each repetition, for programs that compare runs or draw.</summary>
internal static class JsonReport
{
    public static void Write(string path, MachineFacts facts, IEnumerable<ScenarioReport> reports, IEnumerable<BudgetRow> budgets)
    {
        using FileStream file = File.Create(path);
        using var json = new Utf8JsonWriter(file, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteStartObject("run");
        foreach ((string name, string value) in facts.Lines)
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
        json.WriteStartArray("budgets");
        foreach (BudgetRow row in budgets)
        {
            json.WriteStartObject();
            json.WriteString("what", row.What);
            json.WriteString("budget", row.Bound.ToString());
            json.WriteNumber("measured", row.Value);
            json.WriteBoolean("met", row.IsMet);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartObject("scenarios");
        foreach (ScenarioReport report in reports)
        {
            json.WriteStartObject(report.Scenario.Name);
            json.WriteString("question", report.Scenario.Question);
            json.WriteStartObject("subjects");
            foreach (Answer answer in report.Answers)
            {
                Write(json, answer);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, Answer answer)
    {
        json.WriteStartObject(answer.Subject);
        if (answer.Error is not null)
        {
            json.WriteString("error", answer.Error);
        }

        foreach (Series series in answer.Series)
        {
            json.WriteStartObject(series.Metric.Key);
            WriteNumber(json, "median", series.Median);
            WriteNumber(json, "spread", series.Spread);
            json.WriteStartArray("values");
            foreach (double value in series.Values.Where(double.IsFinite))
            {
                json.WriteNumberValue(value);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        WriteNumber(json, "foreign_cpu_share", answer.ForeignCpuShare);
        WriteNumber(json, "load_cpu_share", answer.LoadCpuShare);
        json.WriteEndObject();
    }

    /// <summary>JSON has no word for what could not be measured: the property is left out.</summary>
    private static void WriteNumber(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumber(name, value);
        }
    }
}
