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

    /// <summary>Bytes of the local application went into the tunnel, or bytes of the tunnel reached the local application.</summary>
    void OnTransferred(int toTunnel, int toApplication);

    /// <summary>Said once; the stream and the application's socket are closed.</summary>
    void OnEnded(TunnelStream stream, ConnectionOutcome outcome);
}

/// <summary>
/// Joins one CONNECT stream with the socket of a local application and moves bytes both ways without copying them (design D4, D5).
/// </summary>
/// <remarks>
/// Two directions with a state each, ended independently (half-close, data-path 5.4); the connection is over when both are.
/// <code>
/// application → tunnel:  Open ──EOF──► Ending ──END_STREAM written──► Done
/// tunnel → application:  Open ──END_STREAM──► Ending ──all delivered, FIN──► Done
/// </code>
/// A reset on either side ends both and is carried to the other side as a reset.
/// </remarks>
internal sealed class TunnelStream(HboneConnection tunnel, Http2Stream stream, ITunnelStreamOwner owner) : ISocketHandler
{
    // One record first: most requests are small. A read that fills what it was given doubles it, up to a whole send buffer.
    private const int FirstReadBytes = 16 * 1024;
    private const int LargestReadBytes = 256 * 1024;

    private LoopSocket? _application;
    private PendingBytes? _pending;
    private DirectionState _toTunnel;
    private DirectionState _toApplication;
    private int _readBytes = FirstReadBytes;
    private int _ownBytes;
    private bool _ended;

    public HboneConnection Tunnel => tunnel;

    public Http2Stream Http2 => stream;

    public ITunnelStreamOwner Owner => owner;

    /// <summary>The next stream that has bytes for the tunnel; owned by <see cref="TunnelSender"/>.</summary>
    internal TunnelStream? NextReady { get; set; }

    internal bool IsQueuedForSending { get; set; }

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

    /// <summary>Starts the relay with <paramref name="application"/>, which belongs to the stream from now on. Bytes that came earlier are delivered first.</summary>
    public void Attach(LoopSocket application)
    {
        _application = application;
        application.Handler = this;
        if (_ended)
        {
            application.CloseWithReset();
            return;
        }

        FlushPending();
        if (!_ended && application.IsReadable)
            tunnel.Sender.MarkReady(this);
    }

    /// <summary>Puts bytes of our own in front of what the tunnel brings for the application. Before <see cref="Attach"/>.</summary>
    public void PrependForApplication(ReadOnlySpan<byte> bytes)
    {
        PendingBytes? early = _pending;
        _pending = new PendingBytes(tunnel.Loop.Buffers);
        _pending.Append(bytes);
        _ownBytes = bytes.Length;
        while (early is { IsEmpty: false })
        {
            ReadOnlySpan<byte> front = early.Front;
            _pending.Append(front);
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
        End(outcome, resetApplication: true);
    }

    /// <summary>Ends a stream whose CONNECT was refused by a final response that is already queued.</summary>
    public void EndRefused(ConnectionOutcome outcome)
    {
        tunnel.Sender.Schedule();
        End(outcome, resetApplication: true);
    }

    // ---- application → tunnel

    public void OnReadable()
    {
        if (_toTunnel == DirectionState.Open)
            tunnel.Sender.MarkReady(this);
    }

    /// <summary>Reads the application straight into the records of a batch. Called by the tunnel's sender when it is this stream's turn.</summary>
    /// <param name="writer">The batch.</param>
    /// <param name="quantumBytes">What one stream may take before the others get theirs.</param>
    public FillResult Fill(ref RecordWriter writer, int quantumBytes)
    {
        if (_ended || _application is null || _toTunnel == DirectionState.Done)
            return FillResult.Drained;
        if (_toTunnel == DirectionState.Ending)
            return FinishToTunnel(ref writer);

        int window = stream.CanSend ? Math.Min(stream.SendWindow, quantumBytes) : 0;
        if (window <= 0)
            return FillResult.Drained;   // OnSendWindow brings it back

        var vectors = new IoVectors();
        int offered = writer.ReservePayload(ref vectors, Math.Min(window, _readBytes));
        if (offered == 0)
            return FillResult.BatchFull;

        IoResult result = _application.Receive(ref vectors);
        switch (result.Status)
        {
            case IoStatus.Done:
                writer.CommitPayload(stream, result.Bytes);
                owner.OnTransferred(toTunnel: result.Bytes, toApplication: 0);
                AdaptReadSize(result.Bytes, offered);
                return _application.IsReadable ? FillResult.MayHaveMore : FillResult.Drained;
            case IoStatus.WouldBlock:
                return FillResult.Drained;
            case IoStatus.EndOfStream:
                _toTunnel = DirectionState.Ending;
                return FinishToTunnel(ref writer);
            default:
                OnApplicationFailed(result.Error);
                return FillResult.Drained;
        }
    }

    private FillResult FinishToTunnel(ref RecordWriter writer)
    {
        if (!writer.TryAppendEndOfStream(stream))
            return FillResult.BatchFull;

        _toTunnel = DirectionState.Done;
        EndIfDone();
        return FillResult.Drained;
    }

    private void AdaptReadSize(int received, int offered)
    {
        if (received == offered)
            _readBytes = Math.Min(_readBytes * 2, LargestReadBytes);
        else if (received < _readBytes / 4)
            _readBytes = Math.Max(_readBytes / 2, FirstReadBytes);
    }

    // ---- tunnel → application

    /// <summary>Payload of this stream, still in the receive buffer.</summary>
    public void Deliver(NativeBuffer buffer, ReadOnlySpan<PayloadRange> ranges)
    {
        if (_ended)
        {
            Discard(ranges);
            return;
        }

        int written = 0;
        if (_application is { } application && _pending is not { IsEmpty: false })
        {
            var vectors = new IoVectors();
            foreach (PayloadRange range in ranges)
                vectors.Add(buffer, range.Offset, range.Length);

            IoResult result = application.Send(ref vectors);
            if (result.Status == IoStatus.Failed)
            {
                Discard(ranges);
                OnApplicationFailed(result.Error);
                return;
            }

            written = result.Status == IoStatus.Done ? result.Bytes : 0;
            OnDelivered(written);
        }

        Hold(buffer, ranges, written);
    }

    /// <summary>The peer ended its side.</summary>
    public void OnEndOfStream()
    {
        if (_ended || _toApplication != DirectionState.Open)
            return;

        _toApplication = DirectionState.Ending;
        FlushPending();
    }

    public void OnWritable()
    {
        if (_pending is { IsEmpty: false })
            FlushPending();
    }

    private void FlushPending()
    {
        if (_application is not { } application)
            return;

        if (_pending is { IsEmpty: false } pending)
        {
            IoResult result = pending.WriteTo(application);
            OnDelivered(result.Bytes);
            if (result.Status == IoStatus.Failed)
            {
                OnApplicationFailed(result.Error);
                return;
            }

            if (!pending.IsEmpty)
                return;
        }

        if (_toApplication == DirectionState.Ending)
        {
            application.ShutdownWrite();
            _toApplication = DirectionState.Done;
            EndIfDone();
        }
    }

    private void Hold(NativeBuffer buffer, ReadOnlySpan<PayloadRange> ranges, int alreadyWritten)
    {
        foreach (PayloadRange range in ranges)
        {
            int skipped = Math.Min(alreadyWritten, range.Length);
            alreadyWritten -= skipped;
            if (skipped == range.Length)
                continue;

            _pending ??= new PendingBytes(tunnel.Loop.Buffers);
            _pending.Append(buffer.Span.Slice(range.Offset + skipped, range.Length - skipped));
        }
    }

    private void OnDelivered(int bytes)
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
        owner.OnTransferred(toTunnel: 0, toApplication: bytes);
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
        if (code == Http2ErrorCode.NoError && _application is not null && _toApplication != DirectionState.Open)
        {
            _toTunnel = DirectionState.Done;
            FlushPending();
            EndIfDone();
            return;
        }

        End(new ConnectionOutcome(EndReason.StreamReset, $"io error: stream error received: {ProtocolTexts.Describe(code)}"), resetApplication: true);
    }

    /// <summary>The tunnel is gone.</summary>
    public void OnTunnelLost(ConnectionOutcome cause) => End(cause, resetApplication: true);

    public void OnHangup()
    {
        if (_ended || _application is not { } application)
            return;

        Errno error = application.TakeError();
        if (error != Errno.None)
            OnApplicationFailed(error);
        else if (_toTunnel == DirectionState.Open)
            tunnel.Sender.MarkReady(this);   // reading tells whether it was an orderly end
    }

    private void OnApplicationFailed(Errno error)
    {
        if (_ended)
            return;

        EndReason reason = tunnel.Role == Http2Role.Client ? EndReason.SourceReset : EndReason.DestinationReset;
        Abort(Http2ErrorCode.Cancel, new ConnectionOutcome(reason, $"io error: {ErrnoText.Describe(error)}"));
    }

    private void EndIfDone()
    {
        if (_toTunnel == DirectionState.Done && _toApplication == DirectionState.Done)
            End(ConnectionOutcome.Completed, resetApplication: false);
    }

    private void End(ConnectionOutcome outcome, bool resetApplication)
    {
        if (_ended)
            return;

        _ended = true;
        if (_pending is { } pending)
        {
            stream.Credit(pending.Length - _ownBytes);
            pending.Clear();
        }

        if (resetApplication)
            _application?.CloseWithReset();
        else
            _application?.Dispose();
        tunnel.Forget(this);
        owner.OnEnded(this, outcome);
    }
}

/// <summary>What a stream left behind after its turn.</summary>
internal enum FillResult : byte
{
    /// <summary>Nothing more to send now.</summary>
    Drained,

    /// <summary>There may be more: queue it behind the others.</summary>
    MayHaveMore,

    /// <summary>The batch has no room left: this stream goes first in the next one.</summary>
    BatchFull,
}
