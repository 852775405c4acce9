using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.ControlPlane.Xds;

/// <summary>How the xDS client is doing. Written by the client, read by scrapes.</summary>
public sealed class XdsStatus
{
    private readonly TimeProvider _time;
    private long _lastResponse;   // a timestamp; 0: none yet
    private long _applyTicks;
    private long _responses;
    private long _nacks;
    private long _rejects;
    private int _addresses;
    private int _authorizations;
    private volatile bool _isConnected;

    public XdsStatus(TimeProvider time) => _time = time;

    /// <summary>The server has answered on the present stream.</summary>
    public bool IsConnected => _isConnected;

    /// <summary>Responses answered with a NACK so far.</summary>
    public long Nacks => Volatile.Read(ref _nacks);

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
        registry.AddCallback(MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_xds_nacks", "xDS responses that were refused at least in part (unstable)", [], sink => sink.Report(Nacks));
        registry.AddCallback(MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_xds_rejected_resources", "Resources refused, or understood only in part (unstable)", [], sink => sink.Report(Volatile.Read(ref _rejects)));
        registry.AddCallback(
            MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_xds_apply_seconds", "Time spent on translating and applying xDS responses (unstable)", [],
            sink => sink.Report(TimeSpan.FromTicks(Volatile.Read(ref _applyTicks)).TotalSeconds), unit: "seconds");
    }

    internal void OnApplied(TimeSpan duration, int rejects, int addresses, int authorizations)
    {
        _isConnected = true;
        Volatile.Write(ref _lastResponse, _time.GetTimestamp());
        Volatile.Write(ref _applyTicks, _applyTicks + duration.Ticks);
        Volatile.Write(ref _responses, _responses + 1);
        Volatile.Write(ref _rejects, _rejects + rejects);
        if (rejects > 0) Volatile.Write(ref _nacks, _nacks + 1);
        Volatile.Write(ref _addresses, addresses);
        Volatile.Write(ref _authorizations, authorizations);
    }

    internal void OnDisconnected() => _isConnected = false;
}
