using Ztunnel.Http.Dump;
using Ztunnel.InPod.Pods;
using Ztunnel.Lifetime;
using Ztunnel.Linux;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy;
using Ztunnel.Settings;

namespace Ztunnel.Serving;

/// <summary>Shared mode: all pods of the node that the source names, each in its own namespace, and ztunnel's own port for scrapes through the mesh.</summary>
public sealed class SharedServing : IServing
{
    private const string PodsTask = "workload proxy manager";

    private readonly NodeSettings _node;
    private readonly ProxyFactory _proxies;
    private readonly SocketSettings _sockets;
    private readonly PodSupervisor _pods;
    private readonly PodProxies _podProxies;
    private readonly IPodSource _source;
    private readonly Readiness _readiness;
    private readonly CancellationTokenSource _stopping = new();
    private WorkloadProxy? _own;
    private Task _following = Task.CompletedTask;

    public SharedServing(NodeSettings node, ProxyFactory proxies, SocketSettings sockets, PodProxies podProxies, PodSupervisor pods, IPodSource source, Readiness readiness)
    {
        _node = node;
        _proxies = proxies;
        _sockets = sockets;
        _pods = pods;
        _podProxies = podProxies;
        _source = source;
        _readiness = readiness;
        DumpSections = [new PodSection(pods, podProxies)];
        readiness.Await(PodsTask);
        source.ReadinessChanged += OnReadinessChanged;
    }

    public IEnumerable<IDumpSection> DumpSections { get; }

    public IEnumerable<PodView> Pods => _pods.Pods.Select(_podProxies.View);

    public void Bind()
    {
        BindOwn();
        _readiness.Complete("proxy");
    }

    public void Start()
    {
        _own?.Serve();
        _following = Task.Run(() => _source.RunAsync(_stopping.Token));
    }

    public async Task StopAsync(bool graceful)
    {
        // No new pods first; the task stays pending, so that readiness says we are leaving.
        _source.ReadinessChanged -= OnReadinessChanged;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_following, _own?.StopAsync(graceful) ?? Task.CompletedTask, _pods.StopAsync(graceful)).ConfigureAwait(false);
        await _pods.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    // Our metrics port can be reached through the mesh when we are a known workload ourselves (data-path 1.6).
    private void BindOwn()
    {
        if (!_node.HasOwnWorkload)
            return;
        try
        {
            // Nothing redirects our own namespace, and no second process shares it: plain sockets.
            var sockets = new SocketFactory(pod: null, _sockets with { Mark = null, ReusePort = false });
            _own = _proxies.Bind(new LocalWorkloadKey(_node.PodName, _node.PodNamespace, _node.ServiceAccount!), sockets, ListenerSelection.InboundHbone, preservesSource: false);
        }
        catch (LinuxException refused)
        {
            throw new StartException(refused.Message, refused);
        }
    }

    private void OnReadinessChanged(bool isReady)
    {
        if (isReady)
            _readiness.Complete(PodsTask);
        else
            _readiness.Await(PodsTask);
    }
}
