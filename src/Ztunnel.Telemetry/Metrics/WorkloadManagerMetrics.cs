namespace Ztunnel.Telemetry.Metrics;

/// <summary>The metrics of in-pod mode (data-path 8.2): verbs for what happens to a pod's proxy.</summary>
public sealed class WorkloadManagerMetrics(MetricRegistry registry)
{
    private readonly Gauge _active = registry.AddGauge(
        MetricGroup.WorkloadManager, "workload_manager_active_proxy_count", "The total number current workloads with active proxies (unstable)");
    private readonly Gauge _pending = registry.AddGauge(
        MetricGroup.WorkloadManager, "workload_manager_pending_proxy_count", "The total number current workloads with pending proxies (unstable)");
    private readonly Counter _started = registry.AddCounter(
        MetricGroup.WorkloadManager, "workload_manager_proxies_started", "The total number of proxies that were started (unstable)");
    private readonly Counter _stopped = registry.AddCounter(
        MetricGroup.WorkloadManager, "workload_manager_proxies_stopped", "The total number of proxies that were stopped (unstable)");

    public void SetActive(int proxies) => _active.Set(proxies);

    public void SetPending(int proxies) => _pending.Set(proxies);

    public void Started() => _started.AddShared();

    public void Stopped() => _stopped.AddShared();
}
