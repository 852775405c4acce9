using Ztunnel.Http2;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Connections;
using Ztunnel.Tls.Records;

namespace Ztunnel.Proxy.Hbone;

/// <summary>Who opened or accepted a tunnel.</summary>
internal interface ITunnelOwner
{
    /// <summary>The peer asks for a stream (server role only).</summary>
    void OnRequest(HboneConnection tunnel, Http2Stream stream, in Http2Request request);

    /// <summary>A stream ended, the peer changed its limits or announced its end: how many streams fit may have changed.</summary>
    void OnCapacityChanged(HboneConnection tunnel);

    /// <summary>Said once; all streams have been told already.</summary>
    void OnClosed(HboneConnection tunnel, ConnectionOutcome cause);
}

/// <summary>
/// One tunnel: a transport, a TLS session and an HTTP/2 connection on one loop, in either role. It lives as long as both sides want it; every stream on it is a <see cref="TunnelStream"/>.
/// </summary>
/// <remarks>Loop thread only. State is plain data in this object, its two halves and the two protocol objects (design D6).</remarks>
internal sealed class HboneConnection : IHttp2Events
{
    private readonly ITunnelOwner _owner;
    private readonly LoopTimer _tick;
    private TunnelStream? _firstStream;
    private NativeBuffer? _readBuffer;
    private ConnectionOutcome _shutdownCause;
    private bool _isFinishing;   // closed for everybody here, while the peer still reads

    public HboneConnection(ITunnelTransport transport, TlsSession session, Http2Role role, Http2Settings settings, DeliveryBatch deliveries, ITunnelOwner owner)
    {
        _owner = owner;
        Transport = transport;
        Session = session;
        Role = role;
        Deliveries = deliveries;
        Http2 = new Http2Connection(role, settings, this, transport.Loop.NowMilliseconds);
        Sender = new TunnelSender(this);
        Receiver = new TunnelReceiver(this);
        _tick = new LoopTimer(transport.Loop, static state => ((HboneConnection)state!).OnTick(), this);
    }

    public ITunnelTransport Transport { get; }

    public EventLoop Loop => Transport.Loop;

    public TlsSession Session { get; }

    public Http2Connection Http2 { get; }

    public Http2Role Role { get; }

    public TunnelSender Sender { get; }

    public TunnelReceiver Receiver { get; }

    /// <summary>The gather list of the loop's tunnels, or of those inside other tunnels.</summary>
    public DeliveryBatch Deliveries { get; }

    /// <summary>Where the tunnel is listed and counted, with its streams; null for one that is not.</summary>
    public TunnelRoster? Counts { get; init; }

    public bool IsClosed { get; private set; }

    /// <summary>Starts moving bytes. Those that came behind the end of the handshake go to the tunnel.</summary>
    public void Start(in HandshakeResult handshake)
    {
        Counts?.Opened(this);
        ArmTick();
        Transport.Start(this, handshake.Received, handshake.ReceivedBytes);
    }

    /// <summary>Opens a stream (client role).</summary>
    /// <returns>Null when the tunnel takes no more streams.</returns>
    public TunnelStream? OpenStream(TunnelRequest request, ITunnelStreamOwner owner)
    {
        if (IsClosed || Http2.OpenStream(request.ToConnect(), owner: null) is not { } stream)
            return null;

        TunnelStream opened = Adopt(stream, owner);
        Sender.Schedule();
        return opened;
    }

    /// <summary>Gives an accepted stream (server role) to its owner.</summary>
    public TunnelStream Adopt(Http2Stream stream, ITunnelStreamOwner owner)
    {
        var adopted = new TunnelStream(this, stream, owner) { Next = _firstStream };
        if (_firstStream is { } first)
            first.Previous = adopted;
        _firstStream = adopted;
        stream.Owner = adopted;
        Counts?.StreamOpened();
        return adopted;
    }

    internal void Forget(TunnelStream stream)
    {
        if (stream.Previous is { } previous)
            previous.Next = stream.Next;
        else if (_firstStream == stream)
            _firstStream = stream.Next;
        if (stream.Next is { } next)
            next.Previous = stream.Previous;
        stream.Previous = stream.Next = null;
        Counts?.StreamClosed();
    }

    /// <summary>No new streams; those that run may finish. The connection closes behind the last one.</summary>
    public void Drain()
    {
        if (IsClosed)
            return;

        Http2.StartGracefulShutdown(Loop.NowMilliseconds);
        ArmTick();
        Sender.Schedule();
    }

    /// <summary>Ends now: every stream with <paramref name="cause"/>, the peer with GOAWAY as far as the socket takes it.</summary>
    public void Shutdown(Http2ErrorCode code, ConnectionOutcome cause)
    {
        if (_isFinishing)
            Transport.Close([]);
        if (IsClosed)
            return;

        for (TunnelStream? stream = _firstStream; stream is not null; stream = stream.Next)
            stream.Http2.Reset(Http2ErrorCode.Cancel);
        // Sending the last GOAWAY may end the connection at once: its streams must learn the cause, not the symptom.
        _shutdownCause = cause;
        Http2.GoAway(code, debug: null);
        Transport.Flush();
        Close(cause, sendCloseNotify: true);
    }

    // ---- transport events

    public void OnTransportFailed(Errno error) => OnTransportLost(new ConnectionOutcome(EndReason.TunnelLost, $"io error: {ErrnoText.Describe(error)}"));

    public void OnTransportLost(ConnectionOutcome cause) => Close(cause, sendCloseNotify: false);

    public void OnEndOfStream()
    {
        Deliveries.Flush();
        Close(new ConnectionOutcome(EndReason.TunnelLost, "io error: stream closed because of a broken pipe"), sendCloseNotify: true);
    }

    public void OnRecordFailed()
    {
        Deliveries.Flush();
        Transport.Flush();   // the alert is queued in the session
        Close(new ConnectionOutcome(EndReason.TunnelLost, $"io error: {Session.Failure?.Message}"), sendCloseNotify: false);
    }

    public void OnPlaintext(NativeBuffer buffer, int offset, int length)
    {
        _readBuffer = buffer;
        Http2ReceiveResult result = Http2.Receive(buffer.Span.Slice(offset, length), offset);
        if (result.IsClosed)
        {
            Deliveries.Flush();
            Transport.Flush();   // GOAWAY is queued
            Close(new ConnectionOutcome(EndReason.Http2Failed, $"h2 failed: connection error: {result.Text}"), sendCloseNotify: true);
            return;
        }

        Sender.ScheduleIfPossible();
    }

    private void OnTick()
    {
        switch (Http2.OnTick(Loop.NowMilliseconds))
        {
            case KeepAliveAction.SendPing:
                Sender.Schedule();
                break;
            case KeepAliveAction.TimedOut:
                Shutdown(Http2ErrorCode.NoError, new ConnectionOutcome(EndReason.TunnelTimedOut, "io error: HBONE ping timeout"));
                return;
        }

        if (!IsClosed)
            ArmTick();
    }

    private void ArmTick() => _tick.Arm(TimeSpan.FromMilliseconds(Math.Max(1, Http2.NextTickMilliseconds - Loop.NowMilliseconds)));

    // ---- HTTP/2 events

    void IHttp2Events.OnRequest(Http2Stream stream, in Http2Request request) => _owner.OnRequest(this, stream, in request);

    void IHttp2Events.OnResponse(Http2Stream stream, in Http2Response response)
    {
        if (stream.Owner is TunnelStream tunnelStream)
            tunnelStream.Owner.OnResponse(tunnelStream, in response);
    }

    void IHttp2Events.OnData(Http2Stream stream, int offset, int length)
    {
        if (stream.Owner is TunnelStream tunnelStream)
            Deliveries.Add(tunnelStream, _readBuffer!, offset, length);
        else
            stream.Credit(length);
    }

    void IHttp2Events.OnEndOfStream(Http2Stream stream)
    {
        Deliveries.Flush();
        (stream.Owner as TunnelStream)?.OnEndOfStream();
    }

    void IHttp2Events.OnReset(Http2Stream stream, Http2ErrorCode code)
    {
        Deliveries.Flush();
        (stream.Owner as TunnelStream)?.OnReset(code);
    }

    void IHttp2Events.OnSendWindow(Http2Stream stream) => (stream.Owner as TunnelStream)?.OnBytesForTunnel();

    void IHttp2Events.OnStreamClosed(Http2Stream stream)
    {
        // The last stream of a drain lets the final GOAWAY go.
        Sender.ScheduleIfControlIsWaiting();
        _owner.OnCapacityChanged(this);
    }

    void IHttp2Events.OnSettings() => _owner.OnCapacityChanged(this);

    void IHttp2Events.OnGoAway(int lastStreamId, Http2ErrorCode code, string debug) => _owner.OnCapacityChanged(this);

    // ---- end

    /// <summary>Closes once both sides have said that nothing follows and everything said has left.</summary>
    internal void CloseIfFinished()
    {
        if (IsClosed || !Http2.IsFinished || Transport.IsBlocked)
            return;
        bool isShutdown = _shutdownCause.Reason != EndReason.None;
        Close(isShutdown ? _shutdownCause : new ConnectionOutcome(EndReason.TunnelLost, "io error: connection closed"), sendCloseNotify: true, isFinished: !isShutdown);
    }

    private void Close(ConnectionOutcome cause, bool sendCloseNotify, bool isFinished = false)
    {
        if (IsClosed)
            return;

        (bool isDraining, bool isBlocked) = (Http2.IsDraining, Transport.IsBlocked);
        // Those who lose their connection with the tunnel are told what the way looked like.
        if (_firstStream is not null && !cause.IsSuccess)
            cause = cause with { Way = cause.Way ?? Transport.ReadTcpInfo() };
        IsClosed = true;
        // Whichever side hangs up first after the last GOAWAY: a tunnel that has served its time is not a lost one.
        Counts?.Closed(this, cause.Reason == EndReason.TunnelLost && Http2.IsDraining && Http2.ActiveStreams == 0 ? EndReason.Completed : cause.Reason);
        _tick.Cancel();
        Span<byte> closeNotify = stackalloc byte[TlsSession.ControlBytes];
        int bytes = sendCloseNotify && !Transport.IsBlocked ? Session.WriteCloseNotify(closeNotify) : 0;
        Sender.Release();
        Http2.TakeStreams();
        Http2.Release();
        // Behind a GOAWAY, with all of ours on its way, a stream that both sides have ended needs no tunnel any more, only its application's time to read.
        bool isOrderly = _shutdownCause.Reason == EndReason.None && cause.Reason == EndReason.TunnelLost && isDraining && !isBlocked;
        while (_firstStream is { } stream)
            stream.OnTunnelLost(cause, isOrderly);
        Session.Dispose();
        if (isFinished)
        {
            _isFinishing = true;
            Transport.Finish(closeNotify[..bytes], () => _owner.OnClosed(this, cause));
            return;
        }

        Transport.Close(closeNotify[..bytes]);
        _owner.OnClosed(this, cause);
    }
}
