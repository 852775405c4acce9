namespace Ztunnel.Telemetry.Metrics;

/// <summary>A family whose samples come from a table of series.</summary>
internal sealed class SeriesFamily<TLabels>(
    MetricGroup group, MetricKind kind, string name, string help, IReadOnlyList<string> labels, SeriesTable<TLabels> table, SeriesSampleWriter<TLabels> write, string? unit = null)
    : MetricFamily(group, kind, name, help, labels, unit)
    where TLabels : class, IEquatable<TLabels>
{
    internal override IEnumerable<FlushPoint> WriteSamples(ExpositionWriter writer)
    {
        foreach (SeriesTable<TLabels>.Series series in table.Current)
        {
            write(writer, Name, series);
            yield return default;
        }
    }
}

/// <summary>Writes the samples of one series of a table; none is fine.</summary>
internal delegate void SeriesSampleWriter<TLabels>(ExpositionWriter writer, string name, SeriesTable<TLabels>.Series series)
    where TLabels : class, IEquatable<TLabels>;
