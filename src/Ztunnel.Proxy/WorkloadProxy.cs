using System.Net;
using System.Numerics;
using Microsoft.Extensions.Logging;
using Ztunnel.Linux;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Accepting;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Inbound;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy;

/// <summary>
/// The data path of one pod: its listeners on 15008, 15006 and 15001, and on every loop its tunnels and connections. Bound by <see cref="ProxyFactory"/>, accepts from <see cref="Serve"/> on, ended by <see cref="StopAsync"/>.
/// </summary>
public sealed class WorkloadProxy
{
    private readonly WorkloadLoop[] _homes;
    private readonly WorkloadContext _workload;
    private BoundListener[] _bound = [];          // until they serve
    private ListenerSocket[] _listeners = [];
    private int _stopping;

    internal WorkloadProxy(ProxyContext context, WorkloadLoop[] homes, WorkloadContext workload, LoopBalance balance, bool preservesSource)
    {
        Context = context;
        _homes = homes;
        _workload = workload;
        Balance = balance;
        PreservesSource = preservesSource;
    }

    public LocalWorkloadKey Workload => _workload.Key;

    /// <summary>What the pod's applications sent to others.</summary>
    public PodTrafficTotals OutboundTraffic => Total(Reporter.Source);

    /// <summary>What others sent to the pod's applications.</summary>
    public PodTrafficTotals InboundTraffic => Total(Reporter.Destination);

    internal ProxyContext Context { get; }

    internal LoopBalance Balance { get; }

    /// <summary>Whether the listeners have IP_TRANSPARENT: TPROXY works, and applications can be shown the client's address.</summary>
    internal bool IsTransparent { get; private set; }

    /// <summary>Whether applications see the client's address (data-path 1.7).</summary>
    internal bool SpoofsSource => PreservesSource && IsTransparent;

    private bool PreservesSource { get; }

    /// <summary>Binds every listener; connections queue up until <see cref="Serve"/>. When one cannot be bound nothing is left open.</summary>
    /// <exception cref="LinuxException">An address is in use or may not be bound; the message names it.</exception>
    internal void Bind(ListenerSelection selection)
    {
        // In this order, and all before the first accept: a pod is captured completely or not at all (data-path 1.2).
        ReadOnlySpan<ListenerRole> order = [ListenerRole.InboundHbone, ListenerRole.InboundPassthrough, ListenerRole.Outbound, ListenerRole.Socks5];
        var bound = new BoundListener[BitOperations.PopCount((uint)selection)];
        int count = 0;
        try
        {
            foreach (ListenerRole role in order)
            {
                if (!selection.HasFlag(SelectionOf(role)))
                    continue;
                SocketHandle opened = Open(role);
                bound[count++] = new BoundListener(opened, new ProxyListener(this, role));
            }
        }
        catch
        {
            foreach (BoundListener listener in bound.AsSpan(0, count))
                listener.Handle.Dispose();
            throw;
        }

        _bound = bound;
        IsTransparent = Array.TrueForAll(bound, static listener => listener.Handle.IsTransparent);
    }

    /// <summary>Accepts from now on. Once, and not after <see cref="StopAsync"/>.</summary>
    public void Serve()
    {
        Context.Mesh.Changed += OnMeshChanged;
        foreach (WorkloadLoop home in _homes)
            home.Loop.Post(static state => ((WorkloadLoop)state!).WatchQuiet(), home);
        _listeners = Array.ConvertAll(_bound, listener => ListenerSocket.Start(listener.Handle, Context.Loops, listener.Handler));
        for (int i = 0; i < _listeners.Length; i++)
            _bound[i].Handler.LogEstablished(_listeners[i].LocalEndPoint);
        _bound = [];
    }

    /// <summary>
    /// Stops accepting and ends the pod's connections: gracefully, they may finish until the deadline; else at once (data-path 6.5).
    /// </summary>
    public async Task StopAsync(bool graceful)
    {
        if (Interlocked.Exchange(ref _stopping, 1) != 0)
            return;

        foreach (BoundListener listener in _bound)
            listener.Handle.Dispose();
        _bound = [];
        Context.Mesh.Changed -= OnMeshChanged;
        await Task.WhenAll(_listeners.Select(static listener => listener.StopAccepting()));
        if (graceful)
            await DrainAsync();

        await Task.WhenAll(_homes.Select(static home => OnLoop.RunAsync(home.Loop, home, static home =>
        {
            foreach (InboundTunnel tunnel in home.InboundTunnels.ToArray())
                tunnel.Shutdown(ConnectionOutcome.Drained);
            home.Connections.AbortAll(ConnectionOutcome.Drained);
            home.Pool.Shutdown(ConnectionOutcome.Drained);
            home.StopWatching();
            return true;
        })));
        ProxyLog.ShutdownComplete(Context.DrainLog, $"{_workload.Key.Namespace}/{_workload.Key.Name}");
    }

    /// <summary>The open connections, for the admin port.</summary>
    public async Task<IReadOnlyList<ConnectionEntry>> DescribeConnectionsAsync()
    {
        IReadOnlyList<ConnectionEntry>[] entries = await Task.WhenAll(_homes.Select(static home => OnLoop.RunAsync(home.Loop, home, static home => home.Connections.Describe())));
        return [.. entries.SelectMany(static list => list)];
    }

    internal WorkloadLoop Home(EventLoop loop) => _homes[loop.Index];

    private PodTrafficTotals Total(Reporter reporter) => _homes.Aggregate(default(PodTrafficTotals), (total, home) => total + home.TrafficOf(reporter).Totals);

    /// <summary>Where a captured connection was going. Without redirection (TPROXY, or a direct call) that is the local address.</summary>
    internal OriginalDestination ReadOriginalDestination(LoopSocket socket, ILogger log)
    {
        OriginalDestinationResult original = socket.ReadOriginalDestination();
        if (original.EndPoint is { } endPoint)
            return new OriginalDestination(endPoint);

        if (!IsTransparent)
            ProxyLog.OriginalDestinationUnreadable(log, ErrnoText.Describe(original.Error));
        return new OriginalDestination(socket.LocalEndPoint);
    }

    private SocketHandle Open(ListenerRole role) => role switch
    {
        ListenerRole.InboundHbone => _workload.Sockets.OpenWildcardListener(Ports.InboundHbone, ListenerKind.Workload),
        ListenerRole.InboundPassthrough => _workload.Sockets.OpenWildcardListener(Ports.InboundPassthrough, ListenerKind.Workload),
        ListenerRole.Outbound => _workload.Sockets.OpenWildcardListener(Ports.Outbound, ListenerKind.Workload),
        // On loopback: only programs of the pod itself may ask to be carried.
        _ => _workload.Sockets.OpenListener(new IPEndPoint(IPAddress.Loopback, Ports.Socks5), ListenerKind.Workload),
    };

    private static ListenerSelection SelectionOf(ListenerRole role) => role switch
    {
        ListenerRole.InboundHbone => ListenerSelection.InboundHbone,
        ListenerRole.InboundPassthrough => ListenerSelection.InboundPassthrough,
        ListenerRole.Outbound => ListenerSelection.Outbound,
        _ => ListenerSelection.Socks5,
    };

    private async Task DrainAsync()
    {
        Task[] empty = await Task.WhenAll(_homes.Select(static home => OnLoop.RunAsync(home.Loop, home, static home =>
        {
            foreach (InboundTunnel tunnel in home.InboundTunnels.ToArray())
                tunnel.Drain();
            return home.Connections.WhenEmpty();
        })));

        try
        {
            await Task.WhenAll(empty).WaitAsync(Context.Settings.TerminationDeadline, Context.Time);
        }
        catch (TimeoutException)
        {
            ProxyLog.DrainExpired(Context.DrainLog);
        }
    }

    private void OnMeshChanged(MeshChange change)
    {
        if (_workload.Find(change.Snapshot) is not { } local || !change.AffectsAuthorizationOf(local))
            return;

        foreach (WorkloadLoop home in _homes)
            home.Loop.Post(static state => ((WorkloadLoop)state!).Reauthorize(((WorkloadLoop)state).Context.Mesh.Current), home);
    }

    private readonly record struct BoundListener(SocketHandle Handle, ProxyListener Handler);
}

/// <summary>Which of the ports of <see cref="Ports"/> a pod gets.</summary>
[Flags]
public enum ListenerSelection
{
    /// <summary>Nothing is captured: DNS alone is served.</summary>
    None = 0,

    InboundHbone = 1,
    InboundPassthrough = 2,
    Outbound = 4,

    /// <summary>On loopback, for programs that ask to be carried (data-path 1.8).</summary>
    Socks5 = 8,

    /// <summary>A captured pod.</summary>
    All = InboundHbone | InboundPassthrough | Outbound,
}
