using Ztunnel.Http2;
using Ztunnel.Linux.Loop;
using Ztunnel.Proxy.Accepting;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Proxy.Outbound;
using Ztunnel.Proxy.Telemetry;

namespace Ztunnel.Proxy;

/// <summary>What all pods share on one event loop. Loop thread only.</summary>
internal sealed class ProxyLoop(EventLoop loop, ProxyContext context)
{
    public EventLoop Loop { get; } = loop;

    public ProxyContext Context { get; } = context;

    /// <summary>What the loop has to do, for the choice of a loop.</summary>
    public LoopLoad Load { get; } = new();

    public DeliveryBatch Deliveries { get; } = new();

    /// <summary>That of tunnels inside tunnels: they deliver while the outer one does.</summary>
    public DeliveryBatch InnerDeliveries { get; } = new();

    /// <summary>Open connections and recent failures of the endpoints this loop sends to.</summary>
    public EndpointLoad Endpoints { get; } = new(loop);

    /// <summary>The tunnels this loop opens.</summary>
    public TunnelRoster ClientTunnels { get; } = new(loop, context, Http2Role.Client);

    /// <summary>The tunnels this loop accepts.</summary>
    public TunnelRoster ServerTunnels { get; } = new(loop, context, Http2Role.Server);

    /// <summary>What peers behind gateways say of themselves.</summary>
    public ClaimedLabels Claims { get; } = new(context.Time, context.Traffic.QuietPeriod);

    public HandshakeGate Handshakes { get; } = new(loop);

    /// <summary>Settings of the loop's tunnels. Both roles draw on one budget for windows beyond the initial ones.</summary>
    public HboneHttp2 Http2 { get; } = new(context.Settings, context.Loops.Loops.Count);
}
