namespace Ztunnel.Telemetry.Metrics;

/// <summary>The metrics of DNS capture (data-path 8.2).</summary>
public sealed class DnsMetrics
{
    private const int RequestsValue = 0;
    private const int ForwardedValue = 1;
    private const int FailedValue = 2;
    private const int DurationValue = 3;
    private const int FirstBucketValue = 4;

    // Upper bounds with their label texts; whatever is larger is in +Inf only.
    private static readonly (TimeSpan Bound, string Text)[] Buckets =
    [
        (TimeSpan.FromMicroseconds(500), "0.0005"), (TimeSpan.FromMilliseconds(1), "0.001"), (TimeSpan.FromMilliseconds(10), "0.01"),
        (TimeSpan.FromMilliseconds(100), "0.1"), (TimeSpan.FromSeconds(1), "1.0"), (TimeSpan.FromSeconds(5), "5.0"),
    ];

    private static readonly string[] LabelNames = ["request_query_type", "request_protocol", "source_canonical_service", "source_canonical_revision"];

    private readonly SeriesTable<DnsLabels> _series;

    public DnsMetrics(MetricRegistry registry)
    {
        _series = registry.AddTable<DnsLabels>(FirstBucketValue + Buckets.Length);
        AddCounter(registry, "istio_dns_requests", "Total number of DNS requests (unstable)", RequestsValue);
        AddCounter(registry, "istio_dns_upstream_requests", "Total number of DNS requests forwarded to upstream (unstable)", ForwardedValue);
        AddCounter(registry, "istio_dns_upstream_failures", "Total number of DNS requests that failed to forward upstream (unstable)", FailedValue);
        registry.Add(new SeriesFamily<DnsLabels>(
            MetricGroup.Dns, MetricKind.Histogram, "istio_dns_upstream_request_duration_seconds", "Total time in seconds Istio takes to get DNS response from upstream (unstable)",
            ["le", .. LabelNames], _series, WriteDuration, unit: "seconds"));
    }

    /// <summary>A query arrived. Loop thread only.</summary>
    public void Requested(int loop, DnsLabels labels)
    {
        SeriesTable<DnsLabels>.Cells cells = _series.Pin(loop, labels);
        cells.Add(RequestsValue, 1);
        SeriesTable<DnsLabels>.Unpin(cells);
    }

    /// <summary>A query that was sent on came to its end. Loop thread only.</summary>
    public void Forwarded(int loop, DnsLabels labels, TimeSpan duration, bool failed)
    {
        SeriesTable<DnsLabels>.Cells cells = _series.Pin(loop, labels);
        cells.Add(ForwardedValue, 1);
        if (failed)
            cells.Add(FailedValue, 1);
        cells.Add(DurationValue, duration.Ticks * TimeSpan.NanosecondsPerTick);
        for (int i = 0; i < Buckets.Length; i++)
        {
            if (duration > Buckets[i].Bound)
                continue;
            cells.Add(FirstBucketValue + i, 1);
            break;
        }

        SeriesTable<DnsLabels>.Unpin(cells);
    }

    private void AddCounter(MetricRegistry registry, string name, string help, int value) =>
        registry.Add(new SeriesFamily<DnsLabels>(MetricGroup.Dns, MetricKind.Counter, name, help, LabelNames, _series, (writer, family, series) =>
        {
            long count = series.Read(value);
            if (count == 0)
                return;
            writer.StartSample(family, "_total");
            WriteLabels(writer, series.Labels);
            writer.EndSample(count);
        }));

    // _sum, _count, then the buckets: each holds what the smaller ones hold, too.
    private static void WriteDuration(ExpositionWriter writer, string name, SeriesTable<DnsLabels>.Series series)
    {
        long count = series.Read(ForwardedValue);
        if (count == 0)
            return;
        writer.StartSample(name, "_sum");
        WriteLabels(writer, series.Labels);
        writer.EndSampleSeconds(series.Read(DurationValue));
        writer.StartSample(name, "_count");
        WriteLabels(writer, series.Labels);
        writer.EndSample(count);

        long cumulative = 0;
        for (int i = 0; i <= Buckets.Length; i++)
        {
            cumulative = i < Buckets.Length ? cumulative + series.Read(FirstBucketValue + i) : count;
            writer.StartSample(name, "_bucket");
            writer.Label("le", i < Buckets.Length ? Buckets[i].Text : "+Inf");
            WriteLabels(writer, series.Labels);
            writer.EndSample(cumulative);
        }
    }

    private static void WriteLabels(ExpositionWriter writer, DnsLabels labels)
    {
        writer.Label(LabelNames[0], labels.QueryType);
        writer.Label(LabelNames[1], labels.Protocol);
        writer.Label(LabelNames[2], labels.SourceCanonicalService);
        writer.Label(LabelNames[3], labels.SourceCanonicalRevision);
    }
}

/// <summary>The labels of a DNS query.</summary>
public sealed record DnsLabels
{
    // Looked up once for each query, so it is computed once for each object.
    private readonly int _hash;

    /// <param name="queryType">Lower case: <c>a</c>, <c>aaaa</c>.</param>
    /// <param name="protocol"><c>udp</c> or <c>tcp</c>.</param>
    /// <param name="sourceCanonicalService">Of the workload that asks.</param>
    /// <param name="sourceCanonicalRevision">Of the workload that asks.</param>
    public DnsLabels(string queryType, string protocol, string? sourceCanonicalService, string? sourceCanonicalRevision)
    {
        QueryType = queryType;
        Protocol = protocol;
        SourceCanonicalService = WorkloadLabels.OrUnknown(sourceCanonicalService);
        SourceCanonicalRevision = WorkloadLabels.OrUnknown(sourceCanonicalRevision);
        _hash = HashCode.Combine(QueryType, Protocol, SourceCanonicalService, SourceCanonicalRevision);
    }

    public string QueryType { get; }

    public string Protocol { get; }

    public string SourceCanonicalService { get; }

    public string SourceCanonicalRevision { get; }

    public bool Equals(DnsLabels? other) =>
        ReferenceEquals(this, other)
        || (other is not null && _hash == other._hash && QueryType == other.QueryType && Protocol == other.Protocol
            && SourceCanonicalService == other.SourceCanonicalService && SourceCanonicalRevision == other.SourceCanonicalRevision);

    public override int GetHashCode() => _hash;
}
