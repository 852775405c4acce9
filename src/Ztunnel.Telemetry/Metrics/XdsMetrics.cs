namespace Ztunnel.Telemetry.Metrics;

/// <summary>Why a stream to the xDS server ended.</summary>
public enum XdsTermination
{
    ConnectionError,
    Error,
    Reconnect,
    Complete,
}

/// <summary>The metrics of the xDS client (data-path 8.2). Called from the control plane's threads.</summary>
public sealed class XdsMetrics
{
    private readonly CounterFamily _terminations;
    private readonly CounterFamily _messages;
    private readonly CounterFamily _bytes;

    public XdsMetrics(MetricRegistry registry)
    {
        _terminations = registry.AddCounter(
            MetricGroup.Xds, "istio_xds_connection_terminations", "The total number of completed connections to xds server (unstable)", ["reason"]);
        _messages = registry.AddCounter(MetricGroup.Xds, "istio_xds_message", "Total number of messages received (unstable)", ["url"]);
        _bytes = registry.AddCounter(MetricGroup.Xds, "istio_xds_message_bytes", "Total number of bytes received (unstable)", ["url"], unit: "bytes");
    }

    public void Terminated(XdsTermination reason) => _terminations.With(reason.ToString()).AddShared();

    /// <summary>A response arrived whose resources have <paramref name="payloadBytes"/> together.</summary>
    public void Received(string typeUrl, long payloadBytes)
    {
        _messages.With(typeUrl).AddShared();
        _bytes.With(typeUrl).AddShared(payloadBytes);
    }
}
