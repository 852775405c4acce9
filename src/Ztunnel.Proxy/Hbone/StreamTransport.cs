using System.Buffers.Binary;
using Ztunnel.Http2;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Relay;
using Ztunnel.Tls.Records;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// Carries a tunnel over a stream of another tunnel (data-path 2.6). Its records are written straight into the records of the outer tunnel and opened where those were opened: an application's bytes
/// are read once, sealed twice and sent, with no copy between.
/// </summary>
/// <remarks>
/// Backpressure runs through both: the outer window holds the inner tunnel's records back, which are then not produced, and the inner windows bound what the outer stream brings. Outer credit goes back
/// as soon as the inner tunnel has taken the bytes.
/// </remarks>
internal sealed class StreamTransport : ITunnelTransport, IStreamEnd, ILoopItem
{
    // A record in less room than this would be mostly overhead; it is made aside and leaves in pieces.
    private const int SmallestRecordRoomBytes = 1024;

    // How long the peer may take to end its side after we ended ours. What we sent last may still be on its way through the gateway, so the stream is not reset at once.
    private static readonly TimeSpan EndOfPeerLimit = TimeSpan.FromSeconds(10);

    private readonly TunnelStream _outer;
    private readonly LoopTimer _endOfPeer;
    private readonly PendingBytes _outgoing;
    private PendingBytes? _handshakeBytes;
    private LoopSignal<IoResult>? _reader;
    private HboneConnection? _tunnel;
    private NativeBuffer? _partial;
    private int _partialBytes;
    private bool _peerEnded;
    private bool _closing;   // our side has said its last word
    private bool _closed;    // the outer stream is gone

    public StreamTransport(TunnelStream outer)
    {
        _outer = outer;
        _outgoing = new PendingBytes(outer.Tunnel.Loop.Buffers);
        _endOfPeer = new LoopTimer(outer.Tunnel.Loop, static state => ((StreamTransport)state!).GiveUp(), this);
    }

    public EventLoop Loop => _outer.Tunnel.Loop;

    // What waits for a window is kept in order here, the end behind it: nobody has to wait for room.
    public bool IsBlocked => false;

    bool ILoopItem.IsQueued { get; set; }

    public TcpInfo? ReadTcpInfo() => _outer.Tunnel.IsClosed ? null : _outer.Tunnel.Transport.ReadTcpInfo();

    // The outer tunnel's kernel knows the way to the gateway, not beyond.
    public TimeSpan? ReadRoundTrip() => null;

    // ---- handshake

    public async ValueTask<IoResult> ReceiveAsync(NativeBuffer buffer, int offset, TimeSpan timeout)
    {
        if (_handshakeBytes is not { IsEmpty: false } && !_peerEnded && !_closed)
        {
            _reader = new LoopSignal<IoResult>(Loop, timeout, IoResult.Failed(Errno.ETIMEDOUT));
            IoResult arrived = await _reader.Task;
            _reader = null;
            if (arrived.Status != IoStatus.Done)
                return arrived;
        }

        if (_closed)
            return IoResult.Failed(Errno.ECONNRESET);
        return _handshakeBytes is { IsEmpty: false } bytes ? IoResult.Moved(bytes.MoveTo(buffer.Span[offset..])) : IoResult.EndOfStream;
    }

    public ValueTask<IoResult> SendAllAsync(NativeBuffer buffer, int offset, int length, TimeSpan timeout)
    {
        // A flight of a handshake is a few KiB, and the next one waits for the peer's answer: nothing piles up here.
        _outgoing.Append(buffer.Slice(offset, length));
        _outer.OnBytesForTunnel();
        return new ValueTask<IoResult>(_closed ? IoResult.Failed(Errno.ECONNRESET) : IoResult.Moved(length));
    }

    public void Start(HboneConnection tunnel, NativeBuffer? received, int receivedBytes)
    {
        _tunnel = tunnel;
        _partial = received;
        _partialBytes = receivedBytes;
        Loop.EnqueueReady(this);
        Schedule();
    }

    /// <summary>The turn after the handshake: what came behind its last record.</summary>
    void ILoopItem.Run()
    {
        if (_tunnel is not { IsClosed: false } tunnel)
            return;

        if (_partial is { } held)
        {
            int bytes = _partialBytes;
            _partial = null;
            _partialBytes = 0;
            Take(held, 0, bytes);
            Loop.Buffers.Return(held);
        }

        while (_handshakeBytes is { IsEmpty: false } more && !tunnel.IsClosed)
        {
            NativeBuffer copy = Loop.Buffers.Rent(TlsSession.MaxRecordBytes);
            Take(copy, 0, more.MoveTo(copy.Span));
            Loop.Buffers.Return(copy);
        }

        if (_peerEnded)
            EndTunnel();
    }

    // ---- tunnel → outer stream

    public void Schedule() => _outer.OnBytesForTunnel();

    public void Flush()
    {
        if (_tunnel is not { IsClosed: false } || _closed)
            return;

        ProduceAside();
        Schedule();
    }

    public FillResult Fill(ref RecordWriter writer, int limit)
    {
        while (true)
        {
            if (!TryFillFromAside(ref writer, ref limit))
                return FillResult.BatchFull;
            if (_closing && _outgoing.IsEmpty)
                return FillResult.Ended;
            if (limit == 0)
                return FillResult.MayHaveMore;
            if (_tunnel is not { IsClosed: false } tunnel)
                return FillResult.Drained;

            int produced = limit < SmallestRecordRoomBytes ? ProduceAside() : ProduceInto(ref writer, ref limit);
            if (produced < 0)
                return FillResult.BatchFull;
            if (produced > 0)
                continue;

            tunnel.CloseIfFinished();
            if (!_closing)
                return FillResult.Drained;
        }
    }

    // The outer stream ends in its own time: nothing is lost with it.
    public void Finish(ReadOnlySpan<byte> lastRecord, Action gone)
    {
        Close(lastRecord);
        gone();
    }

    public void Close(ReadOnlySpan<byte> lastRecord)
    {
        ReleasePartial();
        if (_closed || _closing)
            return;

        _closing = true;
        if (!lastRecord.IsEmpty)
            _outgoing.Append(lastRecord);
        _endOfPeer.Arm(EndOfPeerLimit);
        _outer.OnBytesForTunnel();
        if (_peerEnded)
            _outer.OnEndDelivered();
    }

    /// <summary>Writes what has no record of the outer tunnel to lie in yet.</summary>
    /// <returns>False when the batch is full.</returns>
    private bool TryFillFromAside(ref RecordWriter writer, ref int limit)
    {
        while (limit > 0 && !_outgoing.IsEmpty)
        {
            ReadOnlySpan<byte> front = _outgoing.Front;
            int taken = writer.AppendPayload(_outer.Http2, front[..Math.Min(front.Length, limit)]);
            if (taken == 0)
                return false;

            _outgoing.Consume(taken);
            limit -= taken;
        }

        return true;
    }

    /// <returns>The bytes produced; -1 when the batch is full.</returns>
    private int ProduceInto(ref RecordWriter writer, ref int limit)
    {
        int room = writer.ReserveRecord(limit, out int offset);
        if (room < SmallestRecordRoomBytes)
            return -1;

        var inner = new RecordWriter(writer.Buffer, offset, room, _tunnel!.Session);
        int produced = _tunnel.Sender.Produce(ref inner);
        if (produced > 0 && !_closed)
            writer.CommitPayload(_outer.Http2, produced);
        limit -= produced;
        return produced;
    }

    private int ProduceAside()
    {
        NativeBuffer buffer = Loop.Buffers.Rent(SmallestRecordRoomBytes);
        var writer = new RecordWriter(buffer, _tunnel!.Session);
        int produced = _tunnel.Sender.Produce(ref writer);
        _outgoing.Append(buffer.Span[..produced]);
        Loop.Buffers.Return(buffer);
        return produced;
    }

    // ---- outer stream → tunnel

    void IStreamEnd.Start(PendingBytes? early)
    {
        _handshakeBytes = early;
        _outer.OnBytesForTunnel();
    }

    public void Deliver(NativeBuffer buffer, ReadOnlySpan<PayloadRange> ranges)
    {
        int bytes = 0;
        foreach (PayloadRange range in ranges)
        {
            bytes += range.Length;
            if (_tunnel is null)
                (_handshakeBytes ??= new PendingBytes(Loop.Buffers)).Append(buffer.Slice(range.Offset, range.Length));
            else
                Take(buffer, range.Offset, range.Offset + range.Length);
        }

        _outer.OnDelivered(bytes);
        _reader?.TrySet(IoResult.Moved(0));
    }

    public void OnEndOfStream()
    {
        _peerEnded = true;
        _reader?.TrySet(IoResult.Moved(0));
        if (_tunnel is not null)
            EndTunnel();
        if (_closing)
            _outer.OnEndDelivered();
    }

    void IStreamEnd.Close(in ConnectionOutcome outcome, bool reset)
    {
        if (_closed)
            return;

        _closed = true;
        _endOfPeer.Cancel();
        _outgoing.Clear();
        _handshakeBytes?.Clear();
        ReleasePartial();
        _reader?.TrySet(IoResult.Failed(Errno.ECONNRESET));
        _tunnel?.OnTransportLost(reset ? outcome : new ConnectionOutcome(EndReason.TunnelLost, "io error: stream closed because of a broken pipe"));
    }

    private void EndTunnel()
    {
        if (_tunnel is { IsClosed: false } tunnel)
            tunnel.OnEndOfStream();
    }

    /// <summary>Opens records where they lie; only one that is not complete is put together aside.</summary>
    private void Take(NativeBuffer buffer, int position, int end)
    {
        HboneConnection tunnel = _tunnel!;
        while (position < end && !tunnel.IsClosed)
        {
            if (_partialBytes == 0)
            {
                position = tunnel.Receiver.Open(buffer, position, end);
                if (position == end || tunnel.IsClosed)
                    return;
            }

            _partial ??= Loop.Buffers.Rent(TlsSession.MaxRecordBytes);
            int taken = Math.Min(MissingBytes(), end - position);
            buffer.Slice(position, taken).CopyTo(_partial.Span[_partialBytes..]);
            _partialBytes += taken;
            position += taken;
            // Opened as soon as its header is there: the header alone can be wrong.
            if (_partialBytes < TlsSession.HeaderBytes || tunnel.Receiver.Open(_partial, 0, _partialBytes) == 0)
                continue;

            ReleasePartial();
        }
    }

    private int MissingBytes()
    {
        if (_partialBytes < TlsSession.HeaderBytes)
            return TlsSession.HeaderBytes - _partialBytes;

        int recordBytes = TlsSession.HeaderBytes + BinaryPrimitives.ReadUInt16BigEndian(_partial!.Span[3..]);
        return Math.Min(recordBytes, TlsSession.MaxRecordBytes) - _partialBytes;
    }

    private void ReleasePartial()
    {
        if (_partial is { } partial)
            Loop.Buffers.Return(partial);
        _partial = null;
        _partialBytes = 0;
    }

    private void GiveUp() => _outer.Abort(Http2ErrorCode.Cancel, new ConnectionOutcome(EndReason.SetUpTimedOut, "io error: the network gateway did not end the stream"));
}
