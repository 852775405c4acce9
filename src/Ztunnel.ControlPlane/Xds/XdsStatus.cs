using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.ControlPlane.Xds;

/// <summary>How the xDS client is doing. Written by the client, read by scrapes.</summary>
public sealed class XdsStatus
{
    private static readonly TimeSpan[] ApplyBounds = [.. ((double[])[0.001, 0.01, 0.1, 0.5, 1, 5]).Select(TimeSpan.FromSeconds)];

    private readonly TimeProvider _time;
    private long _lastResponse;   // a timestamp; 0: none yet
    private long _responses;
    private long _nackedAddresses;
    private long _nackedAuthorizations;
    private long _rejects;
    private int _addresses;
    private int _authorizations;
    private volatile bool _isConnected;
    private Histogram? _applied;

    public XdsStatus(TimeProvider time) => _time = time;

    /// <summary>The server has answered on the present stream.</summary>
    public bool IsConnected => _isConnected;

    /// <summary>Responses answered with a NACK so far.</summary>
    public long Nacks => Volatile.Read(ref _nackedAddresses) + Volatile.Read(ref _nackedAuthorizations);

    /// <summary>Adds the families that the reference does not have (control-path 10.2).</summary>
    public void Register(MetricRegistry registry)
    {
        registry.AddCallback(MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_xds_connected", "Whether the xDS stream is established (unstable)", [], sink => sink.Report(IsConnected ? 1L : 0));
        registry.AddCallback(MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_xds_last_response_age_seconds", "Time since the last xDS response (unstable)", [], sink =>
        {
            if (Volatile.Read(ref _lastResponse) is not 0 and var last) sink.Report(_time.GetElapsedTime(last).TotalSeconds);
        });
        registry.AddCallback(MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_xds_resources", "Resources held from xDS (unstable)", ["type"], sink =>
        {
            sink.Report((long)Volatile.Read(ref _addresses), "address");
            sink.Report((long)Volatile.Read(ref _authorizations), "authorization");
        });
        registry.AddCallback(MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_xds_responses", "xDS responses applied (unstable)", [], sink => sink.Report(Volatile.Read(ref _responses)));
        registry.AddCallback(MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_xds_nacks", "xDS responses that were refused at least in part (unstable)", ["type"], sink =>
        {
            sink.Report(Volatile.Read(ref _nackedAddresses), "address");
            sink.Report(Volatile.Read(ref _nackedAuthorizations), "authorization");
        });
        registry.AddCallback(MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_xds_rejected_resources", "Resources refused, or understood only in part (unstable)", [], sink => sink.Report(Volatile.Read(ref _rejects)));
        _applied = registry.AddHistogram(MetricGroup.Ztunnel, "ztunnel_xds_apply_duration_seconds", "Time that translating and applying an xDS response took (unstable)", ApplyBounds);
    }

    internal void OnApplied(TimeSpan duration, ResourceType? type, int rejects, int addresses, int authorizations)
    {
        _isConnected = true;
        Volatile.Write(ref _lastResponse, _time.GetTimestamp());
        _applied?.Observe(duration);
        Volatile.Write(ref _responses, _responses + 1);
        Volatile.Write(ref _rejects, _rejects + rejects);
        if (rejects > 0 && type == ResourceType.Address) Volatile.Write(ref _nackedAddresses, _nackedAddresses + 1);
        if (rejects > 0 && type == ResourceType.Authorization) Volatile.Write(ref _nackedAuthorizations, _nackedAuthorizations + 1);
        Volatile.Write(ref _addresses, addresses);
        Volatile.Write(ref _authorizations, authorizations);
    }

    internal void OnDisconnected() => _isConnected = false;
}
