using System.Net;
using Ztunnel.Http2;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Propagation;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Proxy.Relay;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Outbound;

/// <summary>
/// One captured connection of a local application, from accept to its access log line (data-path 2). Phases: find the local workload and the route; try the ranked next hops until one
/// answers, within one time limit; relay. Nothing of the application is read before a hop has answered, so a failed hop costs it nothing but time.
/// </summary>
internal sealed class OutboundConnection : TrackedConnection, ITunnelStreamOwner, ISocketRelayOwner, ISocketHandler
{
    private readonly WorkloadLoop _home;
    private readonly OriginalDestination _destination;
    private readonly long _startMilliseconds;
    private LoopSocket? _application;
    private OutboundSetUp? _setUp;
    private TunnelStream? _stream;
    private SocketRelay? _relay;
    private ConnectionRecord? _record;
    private Workload? _endpoint;
    private bool _ended;

    public OutboundConnection(WorkloadLoop home, LoopSocket application, OriginalDestination destination)
        : base(home.Connections, application.RemoteEndPoint, destination.EndPoint)
    {
        _home = home;
        _application = application;
        _destination = destination;
        _startMilliseconds = home.Loop.NowMilliseconds;
    }

    private ProxySettings Settings => _home.Context.Settings;

    public void Start()
    {
        Track();
        _application!.Handler = this;
        _setUp = new OutboundSetUp(TraceParent.Create(SystemRandom.Instance));
        _ = RunAsync(_setUp);
    }

    public override ConnectionEntry Describe() => new(
        IsInbound: false, Source, OriginalDestination.ToString(), _record?.Destination ?? OriginalDestination, _stream is not null ? "HBONE" : "TCP");

    public override void Abort(ConnectionOutcome outcome)
    {
        if (_stream is { } stream)
            stream.Abort(Http2ErrorCode.Cancel, outcome);
        else if (_relay is { } relay)
            relay.Abort(outcome);
        else
            Fail(outcome);
    }

    private async Task RunAsync(OutboundSetUp setUp)
    {
        try
        {
            await SetUpAsync(setUp);
        }
        catch (Exception exception) // whatever goes wrong in one connection ends that connection only
        {
            ProxyLog.Unexpected(_home.Context.OutboundLog, exception);
            Fail(new ConnectionOutcome(EndReason.ResourceExhausted, $"io error: {exception.Message}"));
        }
    }

    private async ValueTask SetUpAsync(OutboundSetUp setUp)
    {
        // Phase 1: who is calling, and where does it want to go.
        if (OutboundRouter.IsRecursiveCall(_home.Context.Routing, _destination))
        {
            Deny(new ConnectionOutcome(EndReason.RecursiveCall, "attempted recursive call to ourselves"));
            return;
        }

        if (await _home.Workload.WaitAsync() is not { } local)
        {
            Deny(new ConnectionOutcome(EndReason.LocalWorkloadUnknown, _home.Workload.UnknownText));
            return;
        }

        setUp.Local = local;
        if (_home.Context.OnDemand is { } onDemand && await onDemand.PrepareOutboundAsync(local, _destination.EndPoint) is { Reason: not EndReason.None } unknown)
        {
            Deny(unknown);
            return;
        }

        MeshSnapshot mesh = _home.Context.Mesh.Current;
        Route route = OutboundRouter.Route(mesh, _home.Context.Routing, local, Source.Address, _destination, SystemRandom.Instance, _home.Proxy.Endpoints);
        if (route.Kind == RouteKind.Refuse)
        {
            Deny(new ConnectionOutcome(EndReason.NoRoute, route.Error));
            return;
        }

        // Phase 2: the next hops in order of preference, until one answers.
        setUp.Route = route;
        setUp.DeadlineMilliseconds = _home.Loop.NowMilliseconds + (long)Settings.SetUp.Total.TotalMilliseconds;
        NextHop hop = route.First!;
        while (!_ended)
        {
            setUp.Attempts++;
            ConnectionOutcome outcome = await TryHopAsync(setUp, hop);
            if (outcome.Reason == EndReason.None || _ended)
                return;

            // A tunnel that broke or was being closed under an unanswered CONNECT has delivered nothing, and says nothing about the endpoint: a fresh tunnel decides.
            if (setUp.TryRetryHop(outcome))
            {
                _home.Context.Outcomes.Retried(_home.Loop.Index, sameEndpoint: true, outcome.Reason);
                continue;
            }

            if (!IsWorthAnotherHop(outcome, setUp) || _home.Loop.NowMilliseconds >= setUp.DeadlineMilliseconds || !route.TryNext(out NextHop? next))
            {
                Fail(outcome);
                return;
            }

            _home.Context.Outcomes.Retried(_home.Loop.Index, sameEndpoint: false, outcome.Reason);
            hop = next;
            setUp.HopRetried = false;
        }
    }

    private async ValueTask<ConnectionOutcome> TryHopAsync(OutboundSetUp setUp, NextHop hop)
    {
        setUp.Hop = hop;
        setUp.AnswerMissing = false;   // each attempt speaks for itself
        if (hop.Hostname is { } hostname)
        {
            _home.Context.Traffic.OnDemandDns(_home.Loop.Index, new OnDemandDnsLabels(ConnectionLabels.Of(setUp.Local), setUp.Local!.Identity.ToString(), hostname));
            ResolvedHost resolved = await HostResolver.ResolveAsync(_home.Context, hop, hostname, setUp.Cancellation);
            if (resolved.Address is not { } address)
                return new ConnectionOutcome(EndReason.NoRoute, resolved.Error);
            setUp.Hop = hop = hop.At(address);
        }

        ClaimEndpoint(hop.Workload);
        ConnectionOutcome outcome = hop.Kind switch
        {
            RouteKind.Tcp => await ConnectPlainAsync(setUp),
            RouteKind.Hbone => await ConnectTunnelAsync(setUp),
            _ => new ConnectionOutcome(EndReason.NoRoute, $"the destination is behind a network gateway, which needs double HBONE: {hop.Authority}"),
        };
        if (_ended || hop.Workload is not { } tried)
            return outcome;

        if (outcome.Reason == EndReason.None)
        {
            _home.Proxy.Endpoints.Succeeded(tried);
            return outcome;
        }

        if (IsWorthAnotherHop(outcome, setUp))
            _home.Proxy.Endpoints.Failed(tried);
        ReleaseEndpoint();
        return outcome;
    }

    // 401 and 400 are the destination's considered answer: another endpoint of the same service would give the same one.
    private static bool IsWorthAnotherHop(in ConnectionOutcome outcome, OutboundSetUp setUp) => outcome.Reason switch
    {
        EndReason.HttpStatus => setUp.Status == 503,
        EndReason.LocalWorkloadUnknown or EndReason.IdentityUnavailable or EndReason.Drained => false,
        _ => true,
    };

    private async ValueTask<ConnectionOutcome> ConnectPlainAsync(OutboundSetUp setUp)
    {
        IPEndPoint address = setUp.Hop!.Address!;
        SocketHandle handle = _home.Workload.Sockets.OpenTcp(address.AddressFamily);
        ConnectResult connected = await LoopSocket.ConnectAsync(_home.Loop, handle, address, Settings.SetUp.Connect, setUp.Cancellation);
        if (connected.Socket is not { } upstream)
            return new ConnectionOutcome(connected.IsTimeout ? EndReason.ConnectTimedOut : EndReason.ConnectFailed, $"io error: {ErrnoText.Describe(connected.Error)}");

        if (_ended)
        {
            upstream.Dispose();
            return default;
        }

        OpenBooks(setUp);
        LoopSocket application = TakeApplication();
        _setUp = null;
        _relay = SocketRelay.Start(application, upstream, this);
        return default;
    }

    private async ValueTask<ConnectionOutcome> ConnectTunnelAsync(OutboundSetUp setUp)
    {
        NextHop hop = setUp.Hop!;
        Workload local = setUp.Local!;
        var request = new TunnelRequest(
            hop.Authority, BaggageHeader.For(local), ForwardedHeader.Build(Source, setUp.Route!.Service?.Hostname), setUp.Trace.ToString());

        setUp.Answer = new LoopSignal<ConnectAnswer>(_home.Loop, TimeLeft(setUp), ConnectAnswer.TimedOut);
        var key = new TunnelKey(hop.Address!, hop.ExpectedIdentities);
        OpenStreamResult opened = await _home.Pool.OpenStreamAsync(key, request, this, setUp.DeadlineMilliseconds);
        if (opened.Stream is not { } stream)
        {
            setUp.Answer.TrySet(default);   // stops its timer
            return opened.Outcome;
        }

        if (_ended)
        {
            stream.Abort(Http2ErrorCode.Cancel, ConnectionOutcome.Drained);
            return default;
        }

        _stream = stream;
        TimeSpan left = TimeLeft(setUp);
        setUp.Answer.Limit(left < Settings.SetUp.Response ? left : Settings.SetUp.Response);
        ConnectAnswer answer = await setUp.Answer.Task;
        if (_ended)
            return default;

        if (answer.Status == 200)
        {
            OpenBooks(setUp);
            _setUp = null;
            stream.Attach(TakeApplication());
            return default;
        }

        // Phase 3 of a failed attempt: the stream is given up, the tunnel stays.
        _stream = null;
        setUp.Status = answer.Status;
        ConnectionOutcome outcome = answer.Status != 0
            ? new ConnectionOutcome(EndReason.HttpStatus, $"http status: {ProtocolTexts.DescribeStatus(answer.Status)}")
            : answer.Outcome.Reason == EndReason.StreamReset
                ? new ConnectionOutcome(EndReason.Http2Failed, answer.Outcome.Error!.Replace("io error: ", "h2 failed: ", StringComparison.Ordinal))
                : answer.Outcome;
        setUp.AnswerMissing = answer.Status == 0 && answer.Outcome.Reason is EndReason.StreamReset or EndReason.TunnelLost or EndReason.TunnelTimedOut;
        stream.Abort(Http2ErrorCode.Cancel, outcome);
        return outcome;
    }

    private TimeSpan TimeLeft(OutboundSetUp setUp) => TimeSpan.FromMilliseconds(Math.Max(0, setUp.DeadlineMilliseconds - _home.Loop.NowMilliseconds));

    // ---- set-up events

    void ITunnelStreamOwner.OnResponse(TunnelStream stream, in Http2Response response) => _setUp?.Answer?.TrySet(new ConnectAnswer(response.Status, default));

    /// <summary>While a hop is tried the application is not read; only its reset is noticed, and ends the attempt at once.</summary>
    void ISocketHandler.OnReadable()
    {
    }

    void ISocketHandler.OnWritable()
    {
    }

    void ISocketHandler.OnHangup()
    {
        if (_setUp is null || _application is not { } application)
            return;

        Errno error = application.TakeError();
        if (error != Errno.None)
            Fail(new ConnectionOutcome(EndReason.SourceReset, $"io error: {ErrnoText.Describe(error)}"));
    }

    // ---- relay events

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

    void ITunnelStreamOwner.OnEnded(TunnelStream stream, ConnectionOutcome outcome)
    {
        if (_setUp is { } setUp)
            setUp.Answer?.TrySet(new ConnectAnswer(0, outcome));
        else
            CloseBooks(outcome);
    }

    void ISocketRelayOwner.OnEnded(ConnectionOutcome outcome) => CloseBooks(outcome);

    // ---- books

    private void OpenBooks(OutboundSetUp setUp)
    {
        NextHop hop = setUp.Hop!;
        Route route = setUp.Route!;
        bool tunnelled = hop.Kind != RouteKind.Tcp;
        Workload local = setUp.Local!;
        _record = new ConnectionRecord(_home, new ConnectionDescription
        {
            Labels = new TrafficLabels(
                Reporter.Source, ConnectionLabels.Of(local), tunnelled ? local.Identity.ToString() : null,
                ConnectionLabels.Of(hop.Workload), hop.Workload?.Identity.ToString(), ConnectionLabels.Of(route.Service), mutualTls: tunnelled),
            Source = Source,
            SourceWorkload = local,
            Destination = hop.Address ?? OriginalDestination,
            HboneAuthority = tunnelled ? hop.Authority : null,
            DestinationWorkload = hop.Workload,
            StartMilliseconds = _startMilliseconds,
            TraceId = setUp.Trace.TraceId,
            Attempts = setUp.Attempts,
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

    /// <summary>Ends a connection that never got to relay: with books, since it is known where it was going.</summary>
    private void Fail(in ConnectionOutcome outcome)
    {
        if (_ended)
            return;

        if (_setUp is not { Route: not null } setUp)
        {
            Deny(outcome);
            return;
        }

        _ended = true;
        _setUp = null;
        setUp.Cancel();
        OpenBooks(setUp);
        _record!.Close(outcome);
        TunnelStream? stream = _stream;
        setUp.Answer?.TrySet(new ConnectAnswer(0, outcome));
        stream?.Abort(Http2ErrorCode.Cancel, outcome);
        TakeApplication().CloseWithReset();
        Leave();
    }

    /// <summary>Ends a connection before anything is known of its destination (data-path 9.3). The application sees a reset.</summary>
    private void Deny(in ConnectionOutcome outcome)
    {
        if (_ended)
            return;

        _ended = true;
        OutboundSetUp? setUp = _setUp;
        _setUp = null;
        Refusal.Record(_home.Proxy, Reporter.Source, Source, OriginalDestination, outcome, setUp?.Trace.TraceId ?? UInt128.Zero);
        TakeApplication().CloseWithReset();
        Leave();
    }

    // Counted from the attempt to the end of the connection, so that the choice among endpoints sees what each of them has to do.
    private void ClaimEndpoint(Workload? endpoint)
    {
        _endpoint = endpoint;
        if (endpoint is not null)
            _home.Proxy.Endpoints.Started(endpoint);
    }

    private void ReleaseEndpoint()
    {
        if (_endpoint is { } endpoint)
            _home.Proxy.Endpoints.Ended(endpoint);
        _endpoint = null;
    }

    private void Leave()
    {
        ReleaseEndpoint();
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
