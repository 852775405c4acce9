using Ztunnel.Linux;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Accepting;
using Ztunnel.Proxy.Outbound;

namespace Ztunnel.Proxy;

/// <summary>Makes the data path of pods.</summary>
public sealed class ProxyFactory
{
    private readonly ProxyContext _context;
    private readonly ProxyLoop[] _loops;
    private readonly LoopBalance _balance;

    public ProxyFactory(ProxyContext context)
    {
        _context = context;
        _loops = [.. context.Loops.Loops.Select(loop => new ProxyLoop(loop, context))];
        if (context.Revocations is { } revocations)
            revocations.Changed += OnRevocationsChanged;
        _balance = new LoopBalance([.. context.Loops.Loops], [.. _loops.Select(static loop => loop.Load)]);
    }

    /// <summary>What the loops know of the endpoints at this moment.</summary>
    public async Task<ILoadView> DescribeLoadAsync() =>
        new NodeLoad(await Task.WhenAll(_loops.Select(static loop => OnLoop.RunAsync(loop.Loop, loop, static loop => loop.Endpoints.Describe()))).ConfigureAwait(false));

    /// <summary>Binds the listeners of one pod; they accept from <see cref="WorkloadProxy.Serve"/> on.</summary>
    /// <param name="workload">Who the pod is.</param>
    /// <param name="sockets">Makes sockets in the pod's namespace.</param>
    /// <param name="selection">Its ports; where the settings ask for it, socks5 comes with outbound.</param>
    /// <param name="preservesSource">Whether its applications may be shown the client's address; the proxy's own listener never does (data-path 1.6).</param>
    /// <exception cref="LinuxException">A port cannot be bound.</exception>
    public WorkloadProxy Bind(LocalWorkloadKey workload, SocketFactory sockets, ListenerSelection selection = ListenerSelection.All, bool preservesSource = true)
    {
        var identity = new WorkloadContext(_context, workload, sockets);
        WorkloadLoop[] homes = [.. _loops.Select(loop => new WorkloadLoop(loop, identity))];
        var proxy = new WorkloadProxy(_context, homes, identity, _balance, preservesSource);
        proxy.Bind(selection.HasFlag(ListenerSelection.Outbound) && _context.Routing.Socks5Enabled ? selection | ListenerSelection.Socks5 : selection);
        return proxy;
    }

    private void OnRevocationsChanged()
    {
        foreach (ProxyLoop loop in _loops)
        {
            loop.ClientTunnels.OnRevocationsChanged();
            loop.ServerTunnels.OnRevocationsChanged();
        }
    }
}
