using Ztunnel.Http.Dump;
using Ztunnel.InPod.Pods;
using Ztunnel.Lifetime;
using Ztunnel.Linux;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy;
using Ztunnel.Settings;

namespace Ztunnel.Serving;

/// <summary>Dedicated mode: one workload, in the namespace the process runs in.</summary>
public sealed class DedicatedServing(DedicatedWorkload workload, ProxyFactory proxies, SocketSettings sockets, Readiness readiness) : IServing
{
    private WorkloadProxy? _proxy;

    public IEnumerable<IDumpSection> DumpSections => [];

    public IEnumerable<PodView> Pods =>
        _proxy is { } proxy
            ? [new PodView(new PodIdentity("", workload.Name, workload.Namespace, workload.ServiceAccount), PodState.Up, Failure: null, proxy.InboundTraffic, proxy.OutboundTraffic)]
            : [];

    public Task StartAsync()
    {
        try
        {
            _proxy = proxies.Start(new LocalWorkloadKey(workload.Name, workload.Namespace, workload.ServiceAccount), new SocketFactory(pod: null, sockets));
        }
        catch (LinuxException refused)
        {
            throw new StartException(refused.Message, refused);
        }

        readiness.Complete("proxy");
        return Task.CompletedTask;
    }

    public Task StopAsync(bool graceful) => _proxy?.StopAsync(graceful) ?? Task.CompletedTask;
}
