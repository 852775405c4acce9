using Ztunnel.Linux.Loop;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Proxy.Inbound;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy;

/// <summary>One pod on one event loop: its tunnels and its connections. Loop thread only.</summary>
internal sealed class WorkloadLoop
{
    // A policy that the workload refers to but that has not arrived leaves open connections alone for so long (design section 7).
    private static readonly TimeSpan PolicyArrivalForOpenConnections = TimeSpan.FromSeconds(5);

    private readonly LoopTimer _policyArrival;
    private readonly LoopTimer _quiet;
    private readonly QuietLimits _quietLimits;
    private readonly PodTraffic _outbound = new();
    private readonly PodTraffic _inbound = new();

    public WorkloadLoop(ProxyLoop proxy, WorkloadContext workload)
    {
        Proxy = proxy;
        Workload = workload;
        Pool = new HbonePool(this);
        Connections = new ConnectionTable(proxy.Load);
        _policyArrival = new LoopTimer(proxy.Loop, static state => ((WorkloadLoop)state!).ReauthorizeAfterGrace(), this);
        _quietLimits = new QuietLimits(proxy.Context.Settings.IdleLimit, proxy.Context.Settings.HalfClosedLimit);
        _quiet = new LoopTimer(proxy.Loop, static state => ((WorkloadLoop)state!).EndQuiet(), this);
    }

    public ProxyLoop Proxy { get; }

    public EventLoop Loop => Proxy.Loop;

    public ProxyContext Context => Proxy.Context;

    public WorkloadContext Workload { get; }

    public HbonePool Pool { get; }

    public ConnectionTable Connections { get; }

    /// <summary>Tunnels that peers opened to us.</summary>
    public HashSet<InboundTunnel> InboundTunnels { get; } = [];

    /// <summary>What the pod moved as a source, or as a destination.</summary>
    public PodTraffic TrafficOf(Reporter reporter) => reporter == Reporter.Source ? _outbound : _inbound;

    /// <summary>True for a connection that has to go because memory is short. It is counted, not logged: a line for each would be one more load.</summary>
    public bool RefusesNew(Reporter reporter)
    {
        if (!Context.Admission.Refuses())
            return false;
        Context.Outcomes.Ended(Loop.Index, reporter, EndReason.MemoryShort);
        return true;
    }

    /// <summary>Decides again on every open connection.</summary>
    public void Reauthorize(MeshSnapshot mesh)
    {
        if (Connections.Reauthorize(mesh, unknownPoliciesCount: false) && !_policyArrival.IsArmed)
            _policyArrival.Arm(PolicyArrivalForOpenConnections);
    }

    /// <summary>From now on connections that are quiet for too long end. On the loop.</summary>
    public void WatchQuiet()
    {
        if (_quietLimits.Interval is { } interval)
            _quiet.Arm(interval);
    }

    /// <summary>The pod is gone.</summary>
    public void StopWatching()
    {
        _quiet.Cancel();
        _policyArrival.Cancel();
    }

    private void EndQuiet()
    {
        Connections.EndQuiet(_quietLimits, Loop.NowMilliseconds);
        WatchQuiet();
    }

    private void ReauthorizeAfterGrace() => Connections.Reauthorize(Context.Mesh.Current, unknownPoliciesCount: true);
}
