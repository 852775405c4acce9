using Ztunnel.Http.Dump;
using Ztunnel.InPod.Pods;
using Ztunnel.Lifetime;
using Ztunnel.Linux;
using Ztunnel.Mesh.State;
using Ztunnel.Settings;

namespace Ztunnel.Serving;

/// <summary>Dedicated mode: one workload, in the namespace the process runs in.</summary>
public sealed class DedicatedServing(DedicatedWorkload workload, WorkloadStarter starter, Readiness readiness) : IServing
{
    private ServedWorkload? _served;

    public IEnumerable<IDumpSection> DumpSections => [];

    public IEnumerable<PodView> Pods =>
        _served is { Proxy: var proxy }
            ? [new PodView(new PodIdentity("", workload.Name, workload.Namespace, workload.ServiceAccount), PodState.Up, Failure: null, proxy.InboundTraffic, proxy.OutboundTraffic)]
            : [];

    public void Bind()
    {
        try
        {
            _served = starter.Bind(new LocalWorkloadKey(workload.Name, workload.Namespace, workload.ServiceAccount), pod: null);
        }
        catch (LinuxException refused)
        {
            throw new StartException(refused.Message, refused);
        }

        // From now on: where the namespace's DNS is captured, our own look-up of the control plane comes this way. Other names wait for the first state, as connections do.
        _served.Names?.Serve();
        readiness.Complete("proxy");
    }

    public void Start() => _served!.Proxy.Serve();

    public Task StopAsync(bool graceful) => _served?.StopAsync(graceful) ?? Task.CompletedTask;
}
