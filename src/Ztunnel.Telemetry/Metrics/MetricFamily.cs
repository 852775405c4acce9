namespace Ztunnel.Telemetry.Metrics;

/// <summary>One family of the scrape: its header lines and, step by step, its samples.</summary>
public abstract class MetricFamily
{
    // The families whose meaning will not change; every other one says "unstable" in its help (data-path 8.1).
    private static readonly HashSet<string> StableNames =
    [
        "istio_build", "istio_tcp_connections_opened", "istio_tcp_connections_closed", "istio_tcp_received_bytes", "istio_tcp_sent_bytes",
    ];

    protected MetricFamily(MetricGroup group, MetricKind kind, string name, string help, IReadOnlyList<string> labels, string? unit = null)
    {
        bool foreign = group is MetricGroup.Process or MetricGroup.Runtime;
        if (name.EndsWith("_total", StringComparison.Ordinal))
            throw new ArgumentException($"{name}: the family is named without _total, its samples get it", nameof(name));
        if (group == MetricGroup.Ztunnel && !name.StartsWith("ztunnel_", StringComparison.Ordinal))
            throw new ArgumentException($"{name}: families of our own begin with ztunnel_", nameof(name));
        if (!foreign && !StableNames.Contains(name) && !help.Contains("unstable", StringComparison.Ordinal))
            throw new ArgumentException($"{name}: a family outside the stable set says (unstable) in its help", nameof(help));
        if (unit is not null && !name.EndsWith("_" + unit, StringComparison.Ordinal))
            throw new ArgumentException($"{name}: a family with unit {unit} ends in _{unit}", nameof(unit));

        Group = group;
        Kind = kind;
        Labels = labels;
        Name = name;
        Help = foreign ? help : help + ".";
        Unit = unit;
    }

    public MetricGroup Group { get; }

    public MetricKind Kind { get; }

    /// <summary>The name without <c>_total</c>.</summary>
    public string Name { get; }

    /// <summary>The names of its labels, in the order in which they are written.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>The help text as written, with the full stop that registered families get.</summary>
    public string Help { get; }

    public string? Unit { get; }

    /// <summary>What the name of a plain sample ends in.</summary>
    protected internal string SampleSuffix => Kind == MetricKind.Counter ? "_total" : "";

    /// <summary>Writes the samples; between two steps the caller may flush. A family that takes no step has no samples and is left out, header included.</summary>
    internal abstract IEnumerable<FlushPoint> WriteSamples(ExpositionWriter writer);

    internal IEnumerable<FlushPoint> Write(ExpositionWriter writer)
    {
        writer.Begin(this);
        foreach (FlushPoint point in WriteSamples(writer))
            yield return point;
    }
}

/// <summary>A place between two samples where what was written so far may leave.</summary>
internal readonly record struct FlushPoint;
