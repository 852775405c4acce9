using System.Collections.Concurrent;
using Ztunnel.InPod.Pods;
using Ztunnel.Linux.Namespaces;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy;
using Ztunnel.Proxy.Connections;

namespace Ztunnel.Serving;

/// <summary>Joins the life of pods and the data plane: starts a pod's proxy in its namespace, and knows the running ones by pod for the dump.</summary>
/// <param name="starter">Opens what a pod gets.</param>
/// <param name="defaults">What is assumed of a pod whose record is not there yet; null: nothing.</param>
public sealed class PodProxies(WorkloadStarter starter, NodeDefaults? defaults) : IWorkloadProxyFactory
{
    private readonly ConcurrentDictionary<string, PodProxy> _running = new(StringComparer.Ordinal);

    public Task<IWorkloadProxy> StartAsync(PodIdentity pod, NetworkNamespace podNamespace, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        // What still arrives at a listener while it closes goes to the successor that shares its port. Where the kernel has no such setting, or /proc/sys is read-only, the drained queue alone has to do.
        podNamespace.WriteSetting("ipv4/tcp_migrate_req", "1");
        ServedWorkload served = starter.Bind(new LocalWorkloadKey(pod.Name, pod.Namespace, pod.ServiceAccount) { Assumed = defaults }, podNamespace);
        served.Serve();
        var started = new PodProxy(this, pod.Uid, served);
        // A pod made anew takes the place of its predecessor, which is being torn down.
        _running[pod.Uid] = started;
        return Task.FromResult<IWorkloadProxy>(started);
    }

    /// <summary>The open connections of a pod; null when it has no proxy.</summary>
    public async Task<IReadOnlyList<ConnectionEntry>?> DescribeAsync(string uid, CancellationToken cancellation) =>
        _running.TryGetValue(uid, out PodProxy? pod) ? await pod.Proxy.DescribeConnectionsAsync().WaitAsync(cancellation).ConfigureAwait(false) : null;

    /// <summary>What a pod's proxy has moved; nothing while it has none.</summary>
    public PodView View(PodStatus status) =>
        _running.TryGetValue(status.Pod.Uid, out PodProxy? pod)
            ? new PodView(status.Pod, status.State, status.Failure, pod.Proxy.InboundTraffic, pod.Proxy.OutboundTraffic)
            : new PodView(status.Pod, status.State, status.Failure, default, default);

    private sealed class PodProxy(PodProxies owner, string uid, ServedWorkload served) : IWorkloadProxy
    {
        public WorkloadProxy Proxy => served.Proxy;

        public Task StopAsync(bool graceful)
        {
            owner._running.TryRemove(new KeyValuePair<string, PodProxy>(uid, this));
            return served.StopAsync(graceful);
        }
    }
}
