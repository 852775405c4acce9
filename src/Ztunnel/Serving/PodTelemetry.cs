using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Serving;

/// <summary>Connections and bytes of each pod served here, which the traffic metrics, being about workloads, do not tell apart. A pod that leaves takes its series along.</summary>
internal static class PodTelemetry
{
    // Not pod and namespace: a scrape gives those to whatever comes from the pod that ztunnel itself runs in.
    private static readonly string[] Labels = ["pod_name", "pod_namespace", "direction"];

    public static void AddTo(MetricRegistry metrics, Func<IEnumerable<PodView>> pods)
    {
        Add(MetricKind.Gauge, "ztunnel_pod_connections_open", "Open connections of a pod (unstable)", static totals => totals.OpenConnections);
        Add(MetricKind.Counter, "ztunnel_pod_connections", "Connections of a pod (unstable)", static totals => totals.OpenedConnections);
        Add(MetricKind.Counter, "ztunnel_pod_connections_failed", "Connections of a pod that failed (unstable)", static totals => totals.FailedConnections);
        Add(MetricKind.Counter, "ztunnel_pod_received_bytes", "Bytes from clients to services, in connections of a pod (unstable)", static totals => totals.ReceivedBytes, "bytes");
        Add(MetricKind.Counter, "ztunnel_pod_sent_bytes", "Bytes from services to clients, in connections of a pod (unstable)", static totals => totals.SentBytes, "bytes");

        void Add(MetricKind kind, string name, string help, Func<PodTrafficTotals, long> value, string? unit = null) =>
            metrics.AddCallback(MetricGroup.Ztunnel, kind, name, help, Labels, sink =>
            {
                foreach (PodView pod in pods())
                {
                    sink.Report(value(pod.Inbound), pod.Pod.Name, pod.Pod.Namespace, "inbound");
                    sink.Report(value(pod.Outbound), pod.Pod.Name, pod.Pod.Namespace, "outbound");
                }
            }, unit);
    }

    /// <summary>Whether the node agent that names the pods is there; in shared mode only.</summary>
    public static void AddAgent(MetricRegistry metrics, Func<bool> isConnected) => metrics.AddCallback(
        MetricGroup.Ztunnel, MetricKind.Gauge, "ztunnel_zds_connected", "Whether the node agent is connected (unstable)", [], sink => sink.Report(isConnected() ? 1L : 0));
}
