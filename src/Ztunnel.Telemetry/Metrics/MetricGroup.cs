namespace Ztunnel.Telemetry.Metrics;

/// <summary>Where a family stands in the scrape: groups in this order, inside a group in the order of registration (data-path 8.1).</summary>
public enum MetricGroup
{
    Process,
    Runtime,
    Build,
    Xds,
    Proxy,
    Dns,
    WorkloadManager,

    /// <summary>What the reference does not have. Names carry the prefix <c>ztunnel_</c>.</summary>
    Ztunnel,
}

/// <summary>The type a family declares.</summary>
public enum MetricKind
{
    Counter,
    Gauge,
    Histogram,
}
