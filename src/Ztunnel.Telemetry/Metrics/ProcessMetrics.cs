namespace Ztunnel.Telemetry.Metrics;

/// <summary>Registers the families that only the executable has values for.</summary>
public static class ProcessMetrics
{
    /// <summary><c>process_*</c>: the delegates are called at scrape time; a negative answer means that the number cannot be had and leaves the sample out.</summary>
    public static void AddProcess(this MetricRegistry registry, Func<long> openDescriptors, Func<long> maximumDescriptors)
    {
        registry.AddCallback(MetricGroup.Process, MetricKind.Gauge, "process_open_fds", "Number of open file descriptors", [], sink => ReportKnown(sink, openDescriptors()));
        registry.AddCallback(MetricGroup.Process, MetricKind.Gauge, "process_max_fds", "Maximum number of file descriptors", [], sink => ReportKnown(sink, maximumDescriptors()));
    }

    /// <summary><c>istio_build</c>.</summary>
    public static void AddBuild(this MetricRegistry registry, string istioVersion) =>
        registry.AddGauge(MetricGroup.Build, "istio_build", "Istio component build info", ["component", "tag"]).With("ztunnel", istioVersion).Set(1);

    private static void ReportKnown(SampleSink sink, long value)
    {
        if (value >= 0)
            sink.Report(value);
    }
}
