using System.Net;
using Ztunnel.Http2;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Propagation;
using Ztunnel.Mesh.Routing;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Proxy.Outbound;

/// <summary>One attempt at one next hop: a plain connection, a stream of a pooled tunnel, or a tunnel inside such a stream (data-path 2.5–2.7).</summary>
internal sealed class HopConnector(WorkloadLoop home, OutboundCall call)
{
    private ConnectAttempt? _waiting;
    private TunnelStream? _handshaking;
    private CancellationTokenSource? _cancellation;
    private bool _abandoned;

    private SetUpLimits Limits => home.Context.Settings.SetUp;

    public CancellationToken Cancellation => (_cancellation ??= new CancellationTokenSource()).Token;

    /// <param name="hop">Where to; its address is known.</param>
    /// <param name="deadlineMilliseconds">When all attempts of the connection end.</param>
    public ValueTask<HopResult> ConnectAsync(NextHop hop, long deadlineMilliseconds) => hop.Kind switch
    {
        RouteKind.Tcp => ConnectPlainAsync(hop, deadlineMilliseconds),
        RouteKind.Hbone => ConnectTunnelAsync(hop, deadlineMilliseconds),
        _ => ConnectThroughGatewayAsync(hop, deadlineMilliseconds),
    };

    /// <summary>Nobody wants the result any more; whatever is being waited for ends at once.</summary>
    public void Abandon()
    {
        _abandoned = true;
        _cancellation?.Cancel();
        _waiting?.Abandon();
        _handshaking?.Abort(Http2ErrorCode.Cancel, ConnectionOutcome.Drained);
    }

    private async ValueTask<HopResult> ConnectPlainAsync(NextHop hop, long deadlineMilliseconds)
    {
        IPEndPoint address = hop.Address!;
        SocketHandle handle = home.Workload.Sockets.OpenTcp(address.AddressFamily);
        ConnectResult connected = await LoopSocket.ConnectAsync(home.Loop, handle, address, Within(Limits.Connect, deadlineMilliseconds), Cancellation);
        return connected.Socket is { } socket
            ? HopResult.Connected(socket)
            : HopResult.Failed(new ConnectionOutcome(connected.IsTimeout ? EndReason.ConnectTimedOut : EndReason.ConnectFailed, $"io error: {ErrnoText.Describe(connected.Error)}"));
    }

    private async ValueTask<HopResult> ConnectTunnelAsync(NextHop hop, long deadlineMilliseconds)
    {
        var attempt = new ConnectAttempt(home.Loop, home.Loop.TimeLeft(deadlineMilliseconds));
        OpenStreamResult opened = await home.Pool.OpenStreamAsync(new TunnelKey(call.Local.Identity, hop.Address!, hop.ExpectedIdentities), Request(hop, network: null), attempt, deadlineMilliseconds);
        if (opened.Stream is not { } stream)
        {
            attempt.Abandon();   // stops its timer
            return HopResult.Failed(opened.Outcome);
        }

        ConnectAnswer answer = await AwaitAnswerAsync(attempt, deadlineMilliseconds);
        if (answer.Status == 200)
            return HopResult.Answered(stream);

        // The stream is given up, the tunnel stays.
        HopResult refused = HopResult.Refused(answer);
        stream.Abort(Http2ErrorCode.Cancel, refused.Outcome);
        return refused;
    }

    /// <summary>Outer CONNECT to the gateway, and in its stream a second handshake and a second CONNECT, both for the service's name (data-path 2.6).</summary>
    private async ValueTask<HopResult> ConnectThroughGatewayAsync(NextHop hop, long deadlineMilliseconds)
    {
        // Checked before anything is opened: no certificate could be the right one (data-path 2.2 G).
        if (hop.InnerIdentities.IsEmpty)
        {
            string error = $"identity verification error: the service of {hop.Authority} names no identities (subject_alt_names) of the workloads behind the gateway";
            return HopResult.Failed(new ConnectionOutcome(EndReason.IdentityRejected, error)) with { IsEndpointAtFault = false };
        }

        HopResult outer = await ConnectTunnelAsync(hop, deadlineMilliseconds);
        if (outer.Stream is not { } stream)
            return outer;

        CertificateResult certificate = await home.Workload.GetCertificateAsync(call.Local.Identity);
        if (_abandoned || certificate.Certificate is not { } own)
        {
            outer.Discard();
            return HopResult.Failed(_abandoned ? ConnectionOutcome.Drained : certificate.Outcome);
        }

        var transport = new StreamTransport(stream);
        stream.Attach(transport);
        _handshaking = stream;
        HandshakeResult handshake;
        try
        {
            handshake = await HandshakePump.RunAsync(transport, TlsHandshake.StartClient(own, hop.InnerIdentities), home.Proxy.Handshakes, Within(Limits.Handshake, deadlineMilliseconds));
        }
        catch
        {
            // Nobody else knows the stream yet.
            outer.Discard();
            throw;
        }
        finally
        {
            _handshaking = null;
        }

        home.Proxy.ClientTunnels.Handshake(handshake.Outcome.Reason);
        if (!handshake.Succeeded || _abandoned)
        {
            if (handshake.Succeeded)
                handshake.Discard(home.Loop);
            transport.Close([]);   // behind the alert, if there is one
            return HopResult.Failed(_abandoned ? ConnectionOutcome.Drained : handshake.Outcome).BehindGateway();
        }

        var inner = new InnerTunnel(home, stream, transport, handshake);
        var attempt = new ConnectAttempt(home.Loop, home.Loop.TimeLeft(deadlineMilliseconds));
        TunnelStream opened = inner.OpenStream(Request(hop, home.Context.Settings.Network), attempt)!;
        ConnectAnswer answer = await AwaitAnswerAsync(attempt, deadlineMilliseconds);
        if (answer.Status == 200)
            return HopResult.AnsweredBehindGateway(opened, answer.Baggage, inner.Peer);

        HopResult refused = HopResult.Refused(answer).BehindGateway();
        opened.Abort(Http2ErrorCode.Cancel, refused.Outcome);
        return refused;
    }

    private async ValueTask<ConnectAnswer> AwaitAnswerAsync(ConnectAttempt attempt, long deadlineMilliseconds)
    {
        if (_abandoned)
            attempt.Abandon();
        attempt.Limit(Within(Limits.Response, deadlineMilliseconds));
        _waiting = attempt;
        ConnectAnswer answer = await attempt.Answer;
        _waiting = null;
        return answer;
    }

    private TunnelRequest Request(NextHop hop, string? network) =>
        new(hop.Authority, BaggageHeader.For(call.Local), ForwardedHeader.Build(call.Source, call.Route.Service?.Hostname), call.Trace.ToString(), network);

    /// <summary>A step's own limit, or what is left for all of them.</summary>
    private TimeSpan Within(TimeSpan limit, long deadlineMilliseconds)
    {
        TimeSpan left = home.Loop.TimeLeft(deadlineMilliseconds);
        return left < limit ? left : limit;
    }
}

/// <summary>What a connection is, once it is known who calls and where it may go.</summary>
internal sealed record OutboundCall(IPEndPoint Source, Workload Local, Route Route, TraceParent Trace);
