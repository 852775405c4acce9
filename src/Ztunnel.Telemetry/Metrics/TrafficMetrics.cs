namespace Ztunnel.Telemetry.Metrics;

/// <summary>
/// The metrics of connections: <c>istio_tcp_*</c>, on-demand DNS and revocation (data-path 8.2). What <see cref="Opened"/> opens, <see cref="TrafficConnection.Close"/> closes with the same labels.
/// </summary>
public sealed class TrafficMetrics
{
    // Values of one traffic series. Failures are closings with a flag other than "-", so they need no numbers of their own.
    internal const int OpenedValue = 0;
    internal const int ReceivedValue = 1;
    internal const int SentValue = 2;
    internal const int FirstClosedValue = 3;

    private readonly SeriesTable<TrafficLabels> _series;
    private readonly SeriesTable<OnDemandDnsLabels> _onDemandDns;
    private readonly TrafficLabelWriter _labels;
    private readonly Func<string, bool>? _isDropped;
    private readonly GaugeFamily _socketsOpen;
    private readonly Gauge?[] _socketsByReporter = new Gauge?[2];
    private readonly CounterFamily _revoked;
    private readonly CounterFamily _untracked;

    public TrafficMetrics(MetricRegistry registry)
    {
        QuietPeriod = registry.Settings.QuietPeriod;
        _labels = new TrafficLabelWriter(registry.Settings.DroppedTrafficLabels);
        _isDropped = registry.Settings.DroppedTrafficLabels.IsEmpty ? null : registry.Settings.DroppedTrafficLabels.Contains;
        _series = registry.AddTable<TrafficLabels>(FirstClosedValue + ResponseFlagText.Count);
        _onDemandDns = registry.AddTable<OnDemandDnsLabels>(1);

        AddTraffic(registry, "istio_tcp_connections_opened", "The total number of TCP connections opened", OpenedValue);
        registry.Add(new SeriesFamily<TrafficLabels>(
            MetricGroup.Proxy, MetricKind.Counter, "istio_tcp_connections_closed", "The total number of TCP connections closed", Exported(registry), _series,
            (writer, name, series) => WriteByFlag(writer, name, series, ResponseFlag.None)));
        AddTraffic(registry, "istio_tcp_received_bytes", "The size of total bytes received during request in case of a TCP connection", ReceivedValue);
        AddTraffic(registry, "istio_tcp_sent_bytes", "The size of total bytes sent during response in case of a TCP connection", SentValue);
        registry.Add(new SeriesFamily<TrafficLabels>(
            MetricGroup.Proxy, MetricKind.Counter, "istio_tcp_connections_failed", "The total number of TCP connections that failed to establish (unstable)", Exported(registry), _series,
            (writer, name, series) => WriteByFlag(writer, name, series, ResponseFlag.None + 1)));
        _socketsOpen = registry.AddGauge(MetricGroup.Proxy, "istio_tcp_sockets_open", "The current number of open TCP sockets (unstable)", ["reporter"]);
        registry.Add(new SeriesFamily<OnDemandDnsLabels>(
            MetricGroup.Proxy, MetricKind.Counter, "istio_on_demand_dns", "The total number of requests that used on-demand DNS (unstable)", TrafficLabelNames.OnDemandDns, _onDemandDns, WriteOnDemandDns));
        _revoked = registry.AddCounter(
            MetricGroup.Proxy, "istio_crl_policy_rejections", "The total number of connections rejected due to CRL certificate revocation (unstable)", ["reporter"]);
        _untracked = registry.AddCounter(
            MetricGroup.Proxy, "istio_crl_untracked_connections", "The total number of connections not tracked for CRL enforcement (unstable)", ["reporter"]);
    }

    /// <summary>A series that nobody has used for so long disappears.</summary>
    public TimeSpan QuietPeriod { get; }

    /// <summary>Counts a connection as opened and takes its place in its series. Loop thread only; the connection stays on that loop.</summary>
    public TrafficConnection Opened(int loop, TrafficLabels labels)
    {
        SeriesTable<TrafficLabels>.Cells cells = _series.Pin(loop, _isDropped is null ? labels : labels.Without(_isDropped));
        cells.Add(OpenedValue, 1);
        // Many connections share one label set: keeping the table's instance lets the one that was just built go.
        return new TrafficConnection(cells, _isDropped is null ? cells.Labels : labels);
    }

    /// <summary>A socket of an application or of a captured client was opened. Loop thread only.</summary>
    public void SocketOpened(int loop, Reporter reporter) => Sockets(reporter).Add(loop, 1);

    /// <summary>The counterpart of <see cref="SocketOpened"/>.</summary>
    public void SocketClosed(int loop, Reporter reporter) => Sockets(reporter).Add(loop, -1);

    /// <summary>A workload's host name had to be resolved, from the cache or not. Loop thread only.</summary>
    public void OnDemandDns(int loop, OnDemandDnsLabels labels)
    {
        SeriesTable<OnDemandDnsLabels>.Cells cells = _onDemandDns.Pin(loop, labels);
        cells.Add(0, 1);
        SeriesTable<OnDemandDnsLabels>.Unpin(cells);
    }

    /// <summary>A connection was refused or cut because a certificate is revoked.</summary>
    public void Revoked(Reporter reporter) => _revoked.With(ReporterText.Label(reporter)).AddShared();

    /// <summary>A connection could not be registered for live revocation.</summary>
    public void RevocationUntracked(Reporter reporter) => _untracked.With(ReporterText.Label(reporter)).AddShared();

    private static IReadOnlyList<string> Exported(MetricRegistry registry) => [.. TrafficLabelNames.All.Where(name => !registry.Settings.DroppedTrafficLabels.Contains(name))];

    private Gauge Sockets(Reporter reporter) => _socketsByReporter[(int)reporter] ??= _socketsOpen.With(ReporterText.Label(reporter));

    private void AddTraffic(MetricRegistry registry, string name, string help, int value) =>
        registry.Add(new SeriesFamily<TrafficLabels>(MetricGroup.Proxy, MetricKind.Counter, name, help, Exported(registry), _series, (writer, family, series) =>
        {
            writer.StartSample(family, "_total");
            _labels.Write(writer, series.Labels, ResponseFlag.None);
            writer.EndSample(series.Read(value));
        }));

    private void WriteByFlag(ExpositionWriter writer, string name, SeriesTable<TrafficLabels>.Series series, ResponseFlag first)
    {
        for (ResponseFlag flag = first; (int)flag < ResponseFlagText.Count; flag++)
        {
            long count = series.Read(FirstClosedValue + (int)flag);
            if (count == 0)
                continue;
            writer.StartSample(name, "_total");
            _labels.Write(writer, series.Labels, flag);
            writer.EndSample(count);
        }
    }

    private void WriteOnDemandDns(ExpositionWriter writer, string name, SeriesTable<OnDemandDnsLabels>.Series series)
    {
        writer.StartSample(name, "_total");
        _labels.WriteSource(writer, series.Labels.Source, series.Labels.SourcePrincipal);
        writer.Label("hostname", series.Labels.Hostname);
        writer.EndSample(series.Read(0));
    }
}

/// <summary>The labels of on-demand DNS: who asked, and for which host name.</summary>
public sealed record OnDemandDnsLabels
{
    public OnDemandDnsLabels(WorkloadLabels? source, string? sourcePrincipal, string? hostname)
    {
        Source = source ?? WorkloadLabels.Unknown;
        SourcePrincipal = WorkloadLabels.OrUnknown(sourcePrincipal);
        Hostname = WorkloadLabels.OrUnknown(hostname);
    }

    public WorkloadLabels Source { get; }

    public string SourcePrincipal { get; }

    public string Hostname { get; }
}
