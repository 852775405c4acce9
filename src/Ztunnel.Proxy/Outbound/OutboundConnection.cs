using Ztunnel.Http2;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Propagation;
using Ztunnel.Mesh.Routing;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Proxy.Relay;
using Ztunnel.Proxy.Socks5;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Outbound;

/// <summary>
/// One captured connection of a local application, from accept to its access log line (data-path 2). Phases: find the local workload and the route; connect to a next hop; relay.
/// Nothing of the application is read before a hop has answered.
/// </summary>
internal sealed class OutboundConnection : TrackedConnection, ITunnelStreamOwner, ISocketRelayOwner, ISocketHandler
{
    private readonly WorkloadLoop _home;
    private readonly long _startMilliseconds;
    private readonly OutboundCaller _caller;
    private LoopSocket? _application;
    private HopSequence? _hops;   // until one has answered
    private TunnelStream? _stream;
    private SocketRelay? _relay;
    private ConnectionRecord? _record;
    private Workload? _endpoint;
    private RouteKind _kind = RouteKind.Tcp;
    private bool _ended;

    public OutboundConnection(WorkloadLoop home, LoopSocket application, OriginalDestination destination, OutboundCaller caller = OutboundCaller.Captured)
        : base(application.RemoteEndPoint, destination.EndPoint)
    {
        _home = home;
        _application = application;
        _caller = caller;
        _startMilliseconds = home.Loop.NowMilliseconds;
    }

    protected override ConnectionTable Table => _home.Connections;

    // Counted upwards while it is set up, so that it is never quiet.
    protected override (long MovedBytes, bool IsHalfClosed) Progress =>
        _hops is not null || _record is not { } record ? (_home.Loop.NowMilliseconds, false) : (record.MovedBytes, _stream?.IsHalfClosed ?? _relay?.IsHalfClosed ?? false);

    public void Start()
    {
        Track();
        _application!.Handler = this;
        _ = RunAsync();
    }

    public override ConnectionEntry Describe() => new(
        IsInbound: false, Source, OriginalDestination.ToString(), _record?.Destination ?? _hops?.Hop.Address ?? OriginalDestination, ProtocolOf(_hops?.Hop.Kind ?? _kind));

    public override void Abort(ConnectionOutcome outcome)
    {
        if (_stream is { } stream)
            stream.Abort(Http2ErrorCode.Cancel, outcome);
        else if (_relay is { } relay)
            relay.Abort(outcome);
        else
            Fail(outcome);
    }

    private static string ProtocolOf(RouteKind kind) => kind switch
    {
        RouteKind.Hbone => "HBONE",
        RouteKind.DoubleHbone => "DOUBLEHBONE",
        _ => "TCP",
    };

    private async Task RunAsync()
    {
        var trace = TraceParent.Create(SystemRandom.Instance);
        try
        {
            await SetUpAsync(trace);
        }
        catch (Exception exception) // whatever goes wrong in one connection ends that connection only
        {
            ProxyLog.Unexpected(_home.Context.OutboundLog, exception);
            Fail(new ConnectionOutcome(EndReason.ResourceExhausted, $"io error: {exception.Message}"));
        }
    }

    private async ValueTask SetUpAsync(TraceParent trace)
    {
        // Phase 1: who is calling, and where does it want to go.
        var destination = new OriginalDestination(OriginalDestination);
        if (OutboundRouter.IsRecursiveCall(_home.Context.Routing, destination))
        {
            Deny(new ConnectionOutcome(EndReason.RecursiveCall, "attempted recursive call to ourselves"), trace);
            return;
        }

        RoutedCall routed = await CallRouting.RouteAsync(_home, Source, destination);
        if (_ended)
            return;
        if (routed.Route is not { } route)
        {
            Deny(routed.Refusal, trace);
            return;
        }

        // Phase 2: connect.
        var hops = new HopSequence(_home, new OutboundCall(Source, routed.Local!, route, trace));
        _hops = hops;
        HopResult result = await hops.ConnectAsync();
        if (_ended)
        {
            result.Discard();
            return;
        }

        if (!result.Succeeded)
        {
            Fail(result.Outcome);
            return;
        }

        // Phase 3: relay. What only the set-up needs is let go of, since connections are many and long.
        OpenBooks(hops, result);
        _endpoint = hops.Endpoint;
        _kind = hops.Hop.Kind;
        _hops = null;
        LoopSocket application = TakeApplication();
        if (_caller == OutboundCaller.Socks5)
            SocksReply.Send(application, SocksStatus.Succeeded);
        if (result.Socket is { } upstream)
        {
            _relay = SocketRelay.Start(application, upstream, this);
            return;
        }

        _stream = result.Stream!;
        _stream.Owner = this;
        _stream.Attach(application);
    }

    // ---- set-up events

    /// <summary>While a hop is tried the application is not read; only its reset is noticed, and ends the attempt at once.</summary>
    void ISocketHandler.OnReadable()
    {
    }

    void ISocketHandler.OnWritable()
    {
    }

    void ISocketHandler.OnHangup()
    {
        if (_application is not { } application)
            return;

        Errno error = application.TakeError();
        if (error != Errno.None)
            Fail(new ConnectionOutcome(EndReason.SourceReset, $"io error: {ErrnoText.Describe(error)}"));
    }

    // ---- relay events

    void ITunnelStreamOwner.OnResponse(TunnelStream stream, in Http2Response response)
    {
    }

    void ITunnelStreamOwner.OnTransferred(int toTunnel, int toApplication)
    {
        _record!.AddReceived(toTunnel);
        _record.AddSent(toApplication);
    }

    void ISocketRelayOwner.OnTransferred(int toUpstream, int toDownstream)
    {
        _record!.AddReceived(toUpstream);
        _record.AddSent(toDownstream);
    }

    void ITunnelStreamOwner.OnEnded(TunnelStream stream, ConnectionOutcome outcome) => CloseBooks(outcome);

    void ISocketRelayOwner.OnEnded(ConnectionOutcome outcome) => CloseBooks(outcome);

    // ---- books

    private void OpenBooks(HopSequence hops, in HopResult result)
    {
        NextHop hop = hops.Hop;
        OutboundCall call = hops.Call;
        bool tunnelled = hop.Kind != RouteKind.Tcp;
        // Behind a gateway the workload itself says who it is; one that says nothing leaves what is known, the gateway.
        bool behindGateway = result.InnerBaggage is not null;
        _record = new ConnectionRecord(_home, new ConnectionDescription
        {
            Labels = new TrafficLabels(
                Reporter.Source, ConnectionLabels.Of(call.Local), tunnelled ? call.Local.Identity.ToString() : null,
                behindGateway ? _home.Proxy.Claims.Of(result.InnerBaggage!, result.InnerPeer) : ConnectionLabels.Of(hop.Workload),
                (result.InnerPeer ?? hop.Workload?.Identity)?.ToString(), ConnectionLabels.Of(call.Route.Service), mutualTls: tunnelled),
            Source = Source,
            SourceWorkload = call.Local,
            Destination = hop.Address ?? OriginalDestination,
            HboneAuthority = tunnelled ? hop.Authority : null,
            DestinationWorkload = behindGateway ? null : hop.Workload,
            StartMilliseconds = _startMilliseconds,
            TraceId = call.Trace.TraceId,
            Attempts = hops.Attempts,
        });
    }

    private void CloseBooks(in ConnectionOutcome outcome)
    {
        if (_ended)
            return;

        _ended = true;
        _record!.Close(outcome);
        Leave();
    }

    /// <summary>Ends a connection that never got to relay: with books, if it is known where it was going.</summary>
    private void Fail(in ConnectionOutcome outcome)
    {
        if (_ended)
            return;

        if (_hops is not { } hops)
        {
            Deny(outcome, trace: null);
            return;
        }

        _ended = true;
        OpenBooks(hops, HopResult.Failed(outcome));
        _record!.Close(outcome);
        hops.Abandon();
        hops.Release();
        _hops = null;
        RefuseApplication(outcome);
        Leave();
    }

    /// <summary>Ends a connection before anything is known of its destination (data-path 9.3). The application sees a reset.</summary>
    private void Deny(in ConnectionOutcome outcome, TraceParent? trace)
    {
        if (_ended)
            return;

        _ended = true;
        Refusal.Record(_home.Proxy, Reporter.Source, Source, OriginalDestination, outcome, trace?.TraceId ?? UInt128.Zero);
        RefuseApplication(outcome);
        Leave();
    }

    private void RefuseApplication(in ConnectionOutcome outcome)
    {
        if (_application is not { } application)
            return;

        _application = null;
        if (_caller == OutboundCaller.Captured)
        {
            application.CloseWithReset();
            return;
        }

        SocksReply.Send(application, SocksReply.StatusOf(outcome.Reason));
        application.Dispose();
    }

    private void Leave()
    {
        if (_endpoint is { } endpoint)
            _home.Proxy.Endpoints.Ended(endpoint);
        _endpoint = null;
        _home.Context.Traffic.SocketClosed(_home.Loop.Index, Reporter.Source);
        Untrack();
    }

    private LoopSocket TakeApplication()
    {
        LoopSocket application = _application!;
        _application = null;
        return application;
    }
}

/// <summary>How an application came to us, and so how it learns what became of its connection.</summary>
internal enum OutboundCaller : byte
{
    /// <summary>It knows of nothing: success is the relay, failure a reset.</summary>
    Captured,

    /// <summary>It asked, and is answered.</summary>
    Socks5,
}
