using System.Net;
using Ztunnel.Http2;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Propagation;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Inbound;

/// <summary>
/// One CONNECT on port 15008 (data-path 3.2–3.7). Phases: understand the request and validate where it wants to go; open the books and authorize; connect to the application; answer 200
/// and relay. The application is not contacted before the connection is authorized, and the peer is not told 200 before the application has answered.
/// </summary>
internal sealed class InboundStream : InboundConnection, ITunnelStreamOwner
{
    private const int MaxHostCharacters = 255;

    private readonly InboundTunnel _tunnel;
    private readonly TunnelStream _stream;
    private readonly string? _forwardedHost;
    private IPEndPoint? _application;
    private ConnectionRecord? _record;

    private InboundStream(InboundTunnel tunnel, HboneConnection connection, Http2Stream stream, in Http2Request request)
        : base(tunnel.Home, tunnel.Source, tunnel.Destination)
    {
        _tunnel = tunnel;
        // Kept as long as the stream: longer than a host name can be, it is none.
        _forwardedHost = ForwardedHeader.ParseHost(request.Forwarded) is { Length: <= MaxHostCharacters } host ? host : null;
        _stream = connection.Adopt(stream, this);
    }

    private ProxySettings Settings => Home.Context.Settings;

    protected override PolicyConnection PolicyInput => new(_tunnel.SourceIdentity, Source.Address, _application!);

    protected override (long MovedBytes, bool IsHalfClosed) Progress =>
        _stream.IsAttached ? (_record!.MovedBytes, _stream.IsHalfClosed) : (Home.Loop.NowMilliseconds, false);

    public static void Start(InboundTunnel tunnel, HboneConnection connection, Http2Stream stream, in Http2Request request)
    {
        var inbound = new InboundStream(tunnel, connection, stream, in request);
        _ = inbound.RunAsync(request);
    }

    public override ConnectionEntry Describe() => new(
        IsInbound: true, Source, _forwardedHost, _application ?? OriginalDestination, _tunnel.SourceIdentity is null ? "TCP" : "HBONE");

    public override void Abort(ConnectionOutcome outcome) => _stream.Abort(Http2ErrorCode.Cancel, outcome);

    void ITunnelStreamOwner.OnResponse(TunnelStream stream, in Http2Response response)
    {
    }

    void ITunnelStreamOwner.OnTransferred(int toTunnel, int toApplication)
    {
        _record!.AddReceived(toApplication);
        _record.AddSent(toTunnel);
    }

    void ITunnelStreamOwner.OnEnded(TunnelStream stream, ConnectionOutcome outcome)
    {
        HasEnded = true;
        _record?.Close(outcome);
        Untrack();
    }

    private async Task RunAsync(Http2Request request)
    {
        try
        {
            await SetUpAsync(request);
        }
        catch (Exception exception) // whatever goes wrong in one stream ends that stream only
        {
            ProxyLog.Unexpected(Home.Context.InboundLog, exception);
            Refuse(503, new ConnectionOutcome(EndReason.ResourceExhausted, $"connection failed: {exception.Message}"), TraceOf(request));
        }
    }

    private async ValueTask SetUpAsync(Http2Request request)
    {
        // A tunnel that is open goes on, a connection that is new costs memory: 503 has the peer try another endpoint. Counted, not logged, as at the listener.
        if (Home.RefusesNew(Reporter.Destination))
        {
            _stream.Refuse(503, ConnectionOutcome.MemoryShort);
            return;
        }

        // Phase 1: what is asked for, and is it ours to give.
        TraceParent trace = TraceOf(request);
        if (request.Method != "CONNECT")
        {
            Refuse(400, new ConnectionOutcome(EndReason.BadRequest, $"expected method CONNECT, got {PeerText.Cut(request.Method)}"), trace);
            return;
        }

        if (!InboundRouter.TryParseAuthority(request.Authority, out ConnectAuthority? authority, out InboundRefusal? unreadable))
        {
            Refuse(unreadable, trace);
            return;
        }

        if (await Home.Workload.WaitAsync() is not { } local)
        {
            Refuse(503, new ConnectionOutcome(EndReason.LocalWorkloadUnknown, Home.Workload.UnknownToCallersText), trace);
            return;
        }

        if (Home.Context.OnDemand is { } onDemand && await onDemand.PrepareInboundAsync(local, OriginalDestination.Address, authority) is { Reason: not EndReason.None } unknown)
        {
            Refuse(503, unknown, trace);
            return;
        }

        if (HasEnded)
            return;

        MeshSnapshot mesh = Home.Context.Mesh.Current;
        InboundDecision routed = InboundRouter.Resolve(mesh, Home.Context.Routing, local, OriginalDestination.Address, authority);
        if (routed.Target is not { } target)
        {
            Refuse(routed.Refusal!, trace);
            return;
        }

        // Phase 2: authorize.
        _application = target.Application;
        OpenBooks(mesh, local, target, request, trace);
        PolicyDecision decision = await AuthorizeAsync(local);
        if (HasEnded)
            return;
        if (!decision.Allowed)
        {
            _stream.Refuse(401, InboundAuthorizer.Describe(decision));
            return;
        }

        // Phase 3: connect to the application, as the client unless a PROXY header says who that is.
        bool announces = target.Protocol == ApplicationProtocol.Proxy;
        IPEndPoint address = announces && Settings.LocalhostAppTunnel ? ApplicationConnector.OnLoopback(target.Application) : target.Application;
        IPAddress? spoofed = _tunnel.SpoofsSource && !(announces && Settings.LocalhostAppTunnel) ? Source.Address : null;
        ConnectResult connected = await ApplicationConnector.ConnectAsync(Home, address, spoofed);
        if (connected.Socket is not { } application)
        {
            _stream.Refuse(503, ApplicationConnector.Describe(connected));
            return;
        }

        if (HasEnded)
        {
            application.Dispose();
            return;
        }

        // Phase 4: tell the peer, and relay.
        _stream.Http2.Respond(200, Settings.ResponseBaggage ? BaggageHeader.For(local) : null, endStream: false);
        _stream.Tunnel.Sender.Schedule();
        if (announces)
            _stream.PrependForApplication(ProxyHeader.Build(Source, target.TunnelTarget!, _tunnel.SourceIdentity, target.RequestedService?.Hostname ?? _forwardedHost));
        _stream.Attach(application);
    }

    private void OpenBooks(MeshSnapshot mesh, Workload local, InboundTarget target, in Http2Request request, TraceParent trace)
    {
        // Behind a gateway of another network the address is the gateway's: only the baggage tells who the client is.
        Workload? source = InboundRouter.IsFromGateway(Home.Context.Routing, request.ForwardedNetwork) ? null : mesh.FindWorkload(Settings.Network, Source.Address);
        WorkloadLabels? sourceLabels = ConnectionLabels.Of(source)
            ?? (Settings.ResponseBaggage && request.Baggage is { } baggage ? Home.Proxy.Claims.Of(Baggage.Parse(baggage), _tunnel.SourceIdentity) : null);
        Service? service = InboundRouter.GuessService(mesh, target.Candidates, local, _forwardedHost, target.Application.Port);
        _record = new ConnectionRecord(Home, new ConnectionDescription
        {
            Labels = new TrafficLabels(
                Reporter.Destination, sourceLabels, _tunnel.SourceIdentity?.ToString(),
                ConnectionLabels.Of(local), local.Identity.ToString(), ConnectionLabels.Of(service), mutualTls: true),
            Source = Source,
            SourceWorkload = source,
            Destination = OriginalDestination,
            HboneAuthority = request.Authority,
            DestinationWorkload = local,
            StartMilliseconds = StartMilliseconds,
            TraceId = trace.TraceId,
        });
    }

    private static TraceParent TraceOf(in Http2Request request) =>
        TraceParent.TryParse(request.TraceParent, out TraceParent trace) ? trace : TraceParent.Create(SystemRandom.Instance);

    private void Refuse(InboundRefusal refusal, TraceParent trace) => Refuse(
        refusal.Status, new ConnectionOutcome(refusal.Reason == RefuseReason.RecursiveCall ? EndReason.RecursiveCall : EndReason.BadRequest, refusal.Error), trace);

    /// <summary>Refuses a request before there are books for it (data-path 9.3).</summary>
    private void Refuse(int status, in ConnectionOutcome outcome, TraceParent trace)
    {
        if (HasEnded)
            return;

        if (_record is null)
            Refusal.Record(Home.Proxy, Reporter.Destination, Source, OriginalDestination, outcome, trace.TraceId);

        _stream.Refuse(status, outcome);
    }
}
