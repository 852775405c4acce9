using System.Diagnostics;
using Ztunnel.Http2.Connection;
using Ztunnel.Http2.FlowControl;
using Ztunnel.Http2.Frames;
using Ztunnel.Http2.Headers;
using Ztunnel.Http2.Hpack;

namespace Ztunnel.Http2;

/// <summary>
/// One HTTP/2 connection that carries CONNECT streams, either role, without I/O and without a clock. The owner feeds it what it decrypted, writes what
/// <see cref="WriteControl"/> gives, and frames application payload through the streams; payload itself is never copied or kept here.
/// </summary>
/// <remarks>
/// Used by one thread. Control output goes before any DATA header written after it was queued. A peer's mistakes come back as results, not as exceptions: with many peers,
/// mistakes are input like any other, and must not cost more than that.
/// </remarks>
public sealed partial class Http2Connection
{
    /// <summary>PING data that peers of the mesh know; only the ACK of the second one is told apart.</summary>
    private const ulong KeepAlivePing = 0x3b7cdb7a0b8716b4;
    private const ulong ShutdownPing = 0x0b7ba2f08b9bfe54;

    private readonly Http2Settings _settings;
    private readonly IHttp2Events _events;
    private readonly ControlQueue _control = new();
    private readonly StreamTable _streams = new();
    private readonly HpackDecoder _hpack = new();
    private readonly AbuseGuard _guard;
    private HeaderTexts _texts;
    private ResetMemory _resets;
    private KeepAlive _keepAlive;
    private PeerSettings _peer;
    private SendWindow _sendWindow = new(FrameLimits.DefaultWindow);
    private ConnectionReceiveWindow _receiveWindow;
    private FlightTarget _flight;
    private Shutdown _shutdown;
    private Http2ReceiveResult _result;
    private int _nextStreamId = 1;
    private int _lastPeerStreamId;    // the highest the peer has opened, refused ones too
    private int _peerStreams;        // how many that were: fewer than its identifiers when it jumped some
    private int _peerLastServedStreamId = int.MaxValue;
    private bool _goAwayReceived;
    private bool _connectionWindowAnnounced;

    /// <summary>Queues what this side says first (data-path 5.1): the client its preface, SETTINGS and window; the server its SETTINGS.</summary>
    public Http2Connection(Http2Role role, Http2Settings settings, IHttp2Events events, long nowMilliseconds)
    {
        Role = role;
        _settings = settings;
        _events = events;
        _guard = new AbuseGuard(settings.Limits, nowMilliseconds);
        _resets = new ResetMemory(settings.Limits.RememberedResets);
        _keepAlive = new KeepAlive(settings, nowMilliseconds);
        _peer = new PeerSettings(settings.StreamsBeforeSettings);
        _receiveWindow = new ConnectionReceiveWindow(settings.ConnectionWindowBytes);
        _flight = new FlightTarget(_receiveWindow.Size);
        _shutdown = new Shutdown(settings);
        if (role == Http2Role.Client)
        {
            QueueClientPreface();
            _phase = ReceivePhase.Header;
        }
        else
        {
            QueueServerSettings();
        }
    }

    public Http2Role Role { get; }

    /// <summary>What <see cref="Receive"/> last returned, or what ended the connection since.</summary>
    public Http2ReceiveResult Result => _result;

    public int ActiveStreams => _streams.Count;

    /// <summary>How many streams the peer lets us have at a time; until its SETTINGS arrive, our own assumption.</summary>
    public int MaxConcurrentStreams => _peer.MaxConcurrentStreams;

    /// <summary>Client: <see cref="OpenStream"/> would succeed.</summary>
    public bool CanOpenStream => Role == Http2Role.Client && !IsDraining && _nextStreamId > 0 && ActiveStreams < MaxConcurrentStreams;

    /// <summary>No new streams: the peer or we announced the end, or the connection has failed.</summary>
    public bool IsDraining => _goAwayReceived || _shutdown.IsStarted || _result.IsClosed;

    /// <summary>The last GOAWAY is queued or written and no stream is left: flush, then close the transport.</summary>
    public bool IsFinished => _shutdown.IsFinal && ActiveStreams == 0;

    /// <summary>When <see cref="OnTick"/> wants to be called next; earlier calls do no harm.</summary>
    public long NextTickMilliseconds => Math.Min(_keepAlive.NextTickMilliseconds, _shutdown.NextTickMilliseconds);

    /// <summary>What the peer takes on all streams together now.</summary>
    public int SendWindow => _sendWindow.Available;

    internal int PeerMaxFrameBytes => _peer.MaxFrame;

    /// <summary>What GOAWAY names: it never rises again (RFC 9113 6.8).</summary>
    private int LastServedStreamId => Math.Min(_lastPeerStreamId, _shutdown.LastServedStreamId);

    /// <summary>Client: queues a CONNECT. Null while <see cref="CanOpenStream"/> is false.</summary>
    public Http2Stream? OpenStream(in ConnectRequest request, object? owner)
    {
        if (!CanOpenStream)
            return null;
        int id = _nextStreamId;
        _nextStreamId = unchecked(id + 2);    // negative behind the last one
        var stream = new Http2Stream(this, id, owner, _peer.InitialWindow, _settings.FirstStreamWindowBytes);
        _streams.Add(stream);
        Span<byte> section = _control.ReserveHeaders(HpackEncoder.MaxBytes(request));
        int bytes = HpackEncoder.WriteConnect(section, request, TakeTableSizeUpdate());
        _control.CommitHeaders(id, bytes, endStream: false, _peer.MaxFrame);
        stream.HeadersPosition = _control.QueuedPosition;
        return stream;
    }

    /// <summary>Keeps watch over the peer and refills its allowances; call at <see cref="NextTickMilliseconds"/> or more often.</summary>
    public KeepAliveAction OnTick(long nowMilliseconds)
    {
        if (_result.IsClosed)
            return KeepAliveAction.None;
        _guard.Refill(nowMilliseconds);
        KeepAliveAction action = KeepAliveAction.None;
        if (_shutdown.IsAcknowledgementOverdue(nowMilliseconds))
        {
            QueueFinalGoAway();
            action = KeepAliveAction.SendPing;
        }
        switch (_keepAlive.OnTick(nowMilliseconds))
        {
            case KeepAliveAction.SendPing:
                _control.QueuePing(KeepAlivePing, ack: false);
                return KeepAliveAction.SendPing;
            case KeepAliveAction.TimedOut:
                // data-path 5.1: a server says GOAWAY, a client leaves without a word.
                _result = new Http2ReceiveResult(true, Http2ErrorCode.NoError, "ping timeout");
                if (Role == Http2Role.Server)
                    _control.QueueGoAway(LastServedStreamId, Http2ErrorCode.NoError, debug: null);
                return KeepAliveAction.TimedOut;
            default:
                return action;
        }
    }

    /// <summary><see cref="OnRoundTrip"/> should be called. Not before the window was announced: peers are told the same one whatever the path (data-path 5.1).</summary>
    public bool IsRoundTripWanted(long nowMilliseconds) => _connectionWindowAnnounced && _flight.IsDue(nowMilliseconds);

    /// <summary>
    /// How long the path takes at the least, without any queue. From then on the peer may have no more under way to us than fills that path, and streams beside bulk wait no longer than that.
    /// Without it the windows of the settings are used up to their ends.
    /// </summary>
    public void OnRoundTrip(long nowMilliseconds, TimeSpan roundTrip)
    {
        Debug.Assert(_connectionWindowAnnounced, "nobody wants to know yet");
        _flight.Measure(nowMilliseconds, roundTrip);
        _receiveWindow.Limit(_flight.Bytes);
    }

    /// <summary>
    /// No new streams; those that run may end. A server announces it in two steps (RFC 9113 6.8), so that streams the peer opened meanwhile are still served.
    /// A client says GOAWAY when its last stream has ended. <see cref="IsFinished"/> tells when the transport may be closed.
    /// </summary>
    public void StartGracefulShutdown(long nowMilliseconds)
    {
        if (_shutdown.IsStarted || _result.IsClosed)
            return;
        _shutdown.Start(nowMilliseconds, awaitsAcknowledgement: Role == Http2Role.Server);
        if (Role == Http2Role.Client)
        {
            FinishIfIdle();
            return;
        }
        _control.QueueGoAway(FrameLimits.MaxStreamId, Http2ErrorCode.NoError, debug: null);
        _control.QueuePing(ShutdownPing, ack: false);
    }

    /// <summary>Ends the connection at once: flush what is queued and close the transport. Streams are not told; see <see cref="TakeStreams"/>.</summary>
    public void GoAway(Http2ErrorCode code, string? debug)
    {
        if (_result.IsClosed)
            return;
        _result = new Http2ReceiveResult(true, code, debug);
        _control.QueueGoAway(LastServedStreamId, code, debug);
    }

    /// <summary>The connection is lost or ended: closes all streams without telling anyone and hands them to the owner, who knows the cause.</summary>
    public Http2Stream[] TakeStreams()
    {
        Http2Stream[] rented = _streams.RentSnapshot(out int count);
        Http2Stream[] streams = rented.AsSpan(0, count).ToArray();
        StreamTable.ReturnSnapshot(rented);
        foreach (Http2Stream stream in streams)
        {
            stream.State = Http2StreamState.Closed;
            _ = Forget(stream);
        }
        return streams;
    }

    /// <summary>The transport is gone: gives back what is rented. Not from within an event.</summary>
    public void Release()
    {
        _control.Clear();
        _payload.Release();
        _section.Release();
    }

    private void QueueClientPreface()
    {
        _control.QueuePreface();
        _control.QueueSettings(
        [
            (SettingId.EnablePush, 0),
            (SettingId.InitialWindowSize, _settings.FirstStreamWindowBytes),
            (SettingId.MaxFrameSize, _settings.MaxFrameBytes),
            (SettingId.MaxHeaderListSize, _settings.MaxHeaderListBytes),
        ]);
        AnnounceConnectionWindow();
    }

    /// <summary>The server's window follows when the client's preface has been read, as peers see it today.</summary>
    private void QueueServerSettings() =>
        _control.QueueSettings(
        [
            (SettingId.MaxConcurrentStreams, _settings.MaxConcurrentStreams),
            (SettingId.InitialWindowSize, _settings.FirstStreamWindowBytes),
            (SettingId.MaxFrameSize, _settings.MaxFrameBytes),
            (SettingId.MaxHeaderListSize, _settings.MaxHeaderListBytes),
        ]);

    /// <summary>From 65 535 to what the settings say; from then on the window is kept up in <see cref="WriteControl"/>.</summary>
    private void AnnounceConnectionWindow()
    {
        _connectionWindowAnnounced = true;
        if (_receiveWindow.HasPending)
            _control.QueueWindowUpdate(0, _receiveWindow.TakeUpdate());
    }

    private void QueueFinalGoAway()
    {
        _shutdown.Finish(_lastPeerStreamId);
        _control.QueueGoAway(_lastPeerStreamId, Http2ErrorCode.NoError, debug: null);
    }

    /// <summary>A client that opens no more streams leaves with its last one (data-path 5.1).</summary>
    private void FinishIfIdle()
    {
        if (Role == Http2Role.Client && ActiveStreams == 0 && (_goAwayReceived || _shutdown.IsStarted) && !_shutdown.IsFinal && !_result.IsClosed)
            QueueFinalGoAway();
    }

    private bool TakeTableSizeUpdate()
    {
        bool lowered = _peer.TableSizeLowered;
        _peer.TableSizeLowered = false;
        return lowered;
    }
}
