using Ztunnel.Http2;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Relay;

namespace Ztunnel.Proxy.Hbone;

/// <summary>Who opened or accepted a stream: told of the answer to its CONNECT, of its traffic and of its end.</summary>
internal interface ITunnelStreamOwner
{
    /// <summary>The CONNECT was answered (client role only).</summary>
    void OnResponse(TunnelStream stream, in Http2Response response);

    /// <summary>Bytes of the local end went into the tunnel, or bytes of the tunnel reached the local end.</summary>
    void OnTransferred(int toTunnel, int toApplication);

    /// <summary>Said once; the stream and its local end are closed.</summary>
    void OnEnded(TunnelStream stream, ConnectionOutcome outcome);
}

/// <summary>Joins one CONNECT stream with its local end and decides when and how both are over.</summary>
/// <remarks>
/// Two directions with a state each, ended independently (half-close, data-path 5.4); the connection is over when both are.
/// <code>
/// local end → tunnel:  Open ──EOF──► Ending ──END_STREAM written──► Done
/// tunnel → local end:  Open ──END_STREAM──► Ending ──all delivered, FIN──► Done
/// </code>
/// A reset on either side ends both and is carried to the other side as a reset.
/// </remarks>
internal sealed class TunnelStream(HboneConnection tunnel, Http2Stream stream, ITunnelStreamOwner owner) : SendCandidate
{
    private IStreamEnd? _end;
    private PendingBytes? _early;   // what came before there was an end
    private int _ownBytes;
    private DirectionState _toTunnel;
    private DirectionState _toEnd;
    private bool _ended;
    private bool _hasLeftTunnel;

    public HboneConnection Tunnel => tunnel;

    public Http2Stream Http2 => stream;

    /// <summary>There is a local end: bytes move.</summary>
    public bool IsAttached => _end is not null;

    /// <summary>One side has ended, the other has not.</summary>
    public bool IsHalfClosed => _toTunnel != DirectionState.Open || _toEnd != DirectionState.Open;

    /// <summary>Changes when set-up hands the stream over to the connection it is for.</summary>
    public ITunnelStreamOwner Owner { get; set; } = owner;

    /// <summary>Neighbours among the streams of the tunnel; owned by <see cref="HboneConnection"/>.</summary>
    internal TunnelStream? Previous { get; set; }

    internal TunnelStream? Next { get; set; }

    private enum DirectionState : byte
    {
        /// <summary>Bytes may follow.</summary>
        Open,

        /// <summary>The end was seen and has still to be passed on.</summary>
        Ending,

        /// <summary>The end was passed on.</summary>
        Done,
    }

    /// <summary>Starts the relay with the socket of <paramref name="application"/>, which belongs to the stream from now on.</summary>
    public void Attach(LoopSocket application) => Attach(new ApplicationEnd(this, application));

    /// <summary>Starts moving bytes to and from <paramref name="end"/>. Bytes that came earlier are delivered first.</summary>
    public void Attach(IStreamEnd end)
    {
        _end = end;
        if (_ended)
        {
            end.Close(ConnectionOutcome.Drained, reset: true);
            return;
        }

        PendingBytes? early = _early;
        _early = null;
        end.Start(early);
        if (!_ended && _toEnd == DirectionState.Ending)
            end.OnEndOfStream();
    }

    /// <summary>Puts bytes of our own in front of what the tunnel brings for the application. Before <see cref="Attach(LoopSocket)"/>.</summary>
    public void PrependForApplication(ReadOnlySpan<byte> bytes)
    {
        PendingBytes? early = _early;
        _early = new PendingBytes(tunnel.Loop.Buffers);
        _early.Append(bytes);
        _ownBytes = bytes.Length;
        while (early is { IsEmpty: false })
        {
            ReadOnlySpan<byte> front = early.Front;
            _early.Append(front);
            early.Consume(front.Length);
        }
    }

    /// <summary>Gives the stream up from our side: the peer sees RST_STREAM with <paramref name="code"/>, the application a reset.</summary>
    public void Abort(Http2ErrorCode code, ConnectionOutcome outcome)
    {
        if (_ended)
            return;

        stream.Reset(code);
        tunnel.Sender.Schedule();
        End(outcome, reset: true);
    }

    /// <summary>Ends a stream (server role) whose CONNECT cannot be served: with <paramref name="status"/>, or with a reset when the peer has been told 200 already.</summary>
    public void Refuse(int status, ConnectionOutcome outcome)
    {
        if (_ended)
            return;

        if (stream.IsAnswered)
        {
            Abort(Http2ErrorCode.InternalError, outcome);
            return;
        }

        stream.Respond(status, baggage: null, endStream: true);
        tunnel.Sender.Schedule();
        End(outcome, reset: true);
    }

    // ---- local end → tunnel

    /// <summary>The local end has bytes, or there is a window again for those it has.</summary>
    public void OnBytesForTunnel()
    {
        if (_toTunnel == DirectionState.Open && !_ended)
            tunnel.Sender.MarkReady(this);
    }

    /// <summary>Lets the local end write into a batch. Called by the tunnel's sender when it is this stream's turn.</summary>
    /// <param name="writer">The batch.</param>
    /// <param name="quantumBytes">What one stream may take before the others get theirs.</param>
    public FillResult Fill(ref RecordWriter writer, int quantumBytes)
    {
        if (_ended || _end is not { } end || _toTunnel == DirectionState.Done)
            return FillResult.Drained;
        if (_toTunnel == DirectionState.Ending)
            return FinishToTunnel(ref writer);

        if (!stream.CanSend || !stream.HasOwnSendWindow)
            return FillResult.Drained;   // OnSendWindow brings it back

        int limit = Math.Min(Math.Min(stream.SendWindow, quantumBytes), tunnel.Sender.ConnectionWindowFor(this));
        if (limit <= 0)
            return FillResult.WindowUsedUp;

        FillResult result = end.Fill(ref writer, limit);
        if (result != FillResult.Ended)
            return result;

        _toTunnel = DirectionState.Ending;
        return FinishToTunnel(ref writer);
    }

    /// <summary>The local end has put bytes into a batch.</summary>
    public void OnSent(int bytes) => Owner.OnTransferred(toTunnel: bytes, toApplication: 0);

    private FillResult FinishToTunnel(ref RecordWriter writer)
    {
        if (_ended)
            return FillResult.Drained;
        if (!writer.TryAppendEndOfStream(stream))
            return FillResult.BatchFull;

        _toTunnel = DirectionState.Done;
        EndIfDone();
        return FillResult.Drained;
    }

    // ---- tunnel → local end

    /// <summary>Payload of this stream, still in the receive buffer.</summary>
    public void Deliver(NativeBuffer buffer, ReadOnlySpan<PayloadRange> ranges)
    {
        if (_ended)
            Discard(ranges);
        else if (_end is { } end)
            end.Deliver(buffer, ranges);
        else
            PendingBytes.Hold(ref _early, tunnel.Loop.Buffers, buffer, ranges, skippedBytes: 0);
    }

    /// <summary>The peer ended its side.</summary>
    public void OnEndOfStream()
    {
        if (_ended || _toEnd != DirectionState.Open)
            return;

        _toEnd = DirectionState.Ending;
        _end?.OnEndOfStream();
    }

    /// <summary>Bytes of the tunnel left for the application.</summary>
    public void OnDelivered(int bytes)
    {
        // Bytes of our own were never received: no credit, no count.
        int own = Math.Min(_ownBytes, bytes);
        _ownBytes -= own;
        bytes -= own;
        if (bytes == 0)
            return;

        // Credit goes back when bytes left for the application, not when they were read: the window is the bound of what waits here.
        stream.Credit(bytes);
        tunnel.Sender.ScheduleIfControlIsWaiting();
        Owner.OnTransferred(toTunnel: 0, toApplication: bytes);
    }

    /// <summary>The local end has passed on that nothing more comes.</summary>
    public void OnEndDelivered()
    {
        _toEnd = DirectionState.Done;
        EndIfDone();
    }

    private void Discard(ReadOnlySpan<PayloadRange> ranges)
    {
        int bytes = 0;
        foreach (PayloadRange range in ranges)
            bytes += range.Length;
        stream.Credit(bytes);
    }

    // ---- endings

    /// <summary>The peer reset the stream.</summary>
    public void OnReset(Http2ErrorCode code)
    {
        if (_ended)
            return;

        // NO_ERROR after a complete answer says only that the peer wants no more of ours (RFC 9113 8.1): what it sent is delivered, in order.
        if (code == Http2ErrorCode.NoError && _end is not null && _toEnd != DirectionState.Open)
        {
            _toTunnel = DirectionState.Done;
            EndIfDone();
            return;
        }

        End(new ConnectionOutcome(EndReason.StreamReset, $"io error: stream error received: {ProtocolTexts.Describe(code)}") { Way = Tunnel.Transport.ReadTcpInfo() }, reset: true);
    }

    /// <summary>The tunnel is gone.</summary>
    /// <param name="cause">Why.</param>
    /// <param name="isOrderly">It had served its time: a stream that both sides have ended delivers what it holds, and its bytes are not lost because their application reads slowly.</param>
    public void OnTunnelLost(ConnectionOutcome cause, bool isOrderly)
    {
        if (isOrderly && _toTunnel == DirectionState.Done && _toEnd == DirectionState.Ending)
            LeaveTunnel();
        else
            End(cause, reset: true);
    }

    /// <summary>The application's socket broke.</summary>
    public void OnApplicationFailed(Errno error)
    {
        if (_ended)
            return;

        EndReason reason = tunnel.Role == Http2Role.Client ? EndReason.SourceReset : EndReason.DestinationReset;
        Abort(Http2ErrorCode.Cancel, new ConnectionOutcome(reason, $"io error: {ErrnoText.Describe(error)}"));
    }

    private void EndIfDone()
    {
        if (_toTunnel == DirectionState.Done && _toEnd == DirectionState.Done)
            End(ConnectionOutcome.Completed, reset: false);
    }

    private void End(ConnectionOutcome outcome, bool reset)
    {
        if (_ended)
            return;

        _ended = true;
        _early?.Clear();
        _end?.Close(outcome, reset);
        LeaveTunnel();
        Owner.OnEnded(this, outcome);
    }

    private void LeaveTunnel()
    {
        if (_hasLeftTunnel)
            return;

        _hasLeftTunnel = true;
        tunnel.Forget(this);
    }
}
