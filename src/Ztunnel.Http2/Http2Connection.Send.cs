using Ztunnel.Http2.Frames;
using Ztunnel.Http2.Hpack;

namespace Ztunnel.Http2;

/// <summary>What leaves: control output, DATA headers, credit and resets of streams.</summary>
public sealed partial class Http2Connection
{
    public bool HasControlOutput => !_control.IsEmpty || IsConnectionUpdateDue;

    /// <summary>
    /// Moves queued frames to <paramref name="destination"/>: whole ones, unless the first alone does not fit. While that returns a part of a frame, nothing else may be
    /// written before its rest.
    /// </summary>
    public int WriteControl(Span<byte> destination)
    {
        if (IsConnectionUpdateDue)
            _control.QueueWindowUpdate(0, _receiveWindow.TakeUpdate());
        return _control.WriteTo(destination);
    }

    private bool IsConnectionUpdateDue => _receiveWindow.IsUpdateDue && _connectionWindowAnnounced && !_result.IsClosed;

    internal void Respond(Http2Stream stream, int status, string? baggage, bool endStream)
    {
        if (Role != Http2Role.Server || stream.IsAnswered)
            throw new InvalidOperationException($"stream {stream.Id} cannot be answered: {(stream.IsAnswered ? "it has been already" : "only servers answer")}");
        if (stream.State == Http2StreamState.Closed)
            return;
        stream.IsAnswered = true;
        QueueResponse(stream.Id, status, baggage, endStream);
        stream.HeadersPosition = _control.QueuedPosition;
        if (!endStream)
            return;
        if (status != 200 && stream.State == Http2StreamState.Open)
        {
            _control.QueueReset(stream.Id, Http2ErrorCode.NoError);
            _resets.Add(stream.Id);
            Close(stream, discard: true);
            return;
        }
        EndLocal(stream);
    }

    internal int WriteDataHeader(Http2Stream stream, Span<byte> nineBytes, int payloadBytes, bool endStream)
    {
        if (!stream.CanSend)
            throw new InvalidOperationException($"stream {stream.Id} is {stream.State} and takes no DATA");
        if (payloadBytes != 0 && (payloadBytes < 0 || payloadBytes > stream.MaxDataPayload))
            throw new ArgumentOutOfRangeException(nameof(payloadBytes), payloadBytes, $"at most {stream.MaxDataPayload} bytes may be sent on stream {stream.Id}");
        if (_control.IsInsideFrame || _control.WrittenPosition < stream.HeadersPosition)
            throw new InvalidOperationException($"control output must be written before DATA of stream {stream.Id}");

        FrameHeader.Write(nineBytes, payloadBytes, FrameType.Data, endStream ? FrameFlags.EndStream : FrameFlags.None, stream.Id);
        stream.OwnSendWindow.Take(payloadBytes);
        _sendWindow.Take(payloadBytes);
        _guard.DataFrameSent();
        if (endStream)
            EndLocal(stream);
        return FrameHeader.Bytes;
    }

    internal void Credit(Http2Stream stream, int bytes)
    {
        // After a reset everything has been given back already; more than arrived would let the peer overrun us.
        bytes = Math.Min(bytes, stream.ReceiveWindow.Unconsumed);
        if (bytes <= 0)
            return;
        stream.ReceiveWindow.Consume(bytes);
        _receiveWindow.Consume(bytes);
        if (!_result.IsClosed && stream.State is Http2StreamState.Open or Http2StreamState.HalfClosedLocal)
            UpdateStreamWindow(stream);
    }

    internal void Reset(Http2Stream stream, Http2ErrorCode code)
    {
        if (stream.State == Http2StreamState.Closed)
            return;
        _control.QueueReset(stream.Id, code);
        _resets.Add(stream.Id);
        Close(stream, discard: true);
    }

    private void QueueResponse(int streamId, int status, string? baggage, bool endStream)
    {
        Span<byte> section = _control.ReserveHeaders(HpackEncoder.MaxResponseBytes(baggage));
        int bytes = HpackEncoder.WriteResponse(section, status, baggage, TakeTableSizeUpdate());
        _control.CommitHeaders(streamId, bytes, endStream, _peer.MaxFrame);
    }

    private void UpdateStreamWindow(Http2Stream stream)
    {
        if (!stream.ReceiveWindow.IsUpdateDue)
            return;

        // Windows do not grow while half of the connection's is held by receivers that do not take their bytes.
        // Nor beyond what the path can hold.
        int maximum = Math.Min(_settings.MaxStreamWindowBytes, _flight.Bytes);
        int growth = _receiveWindow.Unconsumed <= _receiveWindow.Size / 2 ? stream.ReceiveWindow.WantedGrowth(maximum) : 0;
        if (growth > 0 && _settings.GrowthBudget is { } budget && !budget.TryTake(growth))
            growth = 0;
        _control.QueueWindowUpdate(stream.Id, stream.ReceiveWindow.TakeUpdate(growth));
    }

    private void EndLocal(Http2Stream stream)
    {
        if (stream.State == Http2StreamState.HalfClosedRemote)
            Close(stream, discard: false);
        else
            stream.State = Http2StreamState.HalfClosedLocal;
    }

    private void EndRemote(Http2Stream stream)
    {
        bool both = stream.State == Http2StreamState.HalfClosedLocal;
        stream.State = both ? Http2StreamState.Closed : Http2StreamState.HalfClosedRemote;
        _events.OnEndOfStream(stream);
        if (both)
            Close(stream, discard: false);
    }

    /// <param name="stream">Removed from the table; its slot is free.</param>
    /// <param name="discard">A reset: bytes that arrived will not be wanted and go back to the connection window now. Otherwise they go when the owner credits them.</param>
    private void Close(Http2Stream stream, bool discard)
    {
        stream.State = Http2StreamState.Closed;
        if (discard)
            Discard(stream);
        if (!Forget(stream))
            return;    // the owner took all streams from within an event
        _events.OnStreamClosed(stream);
        FinishIfIdle();
    }

    private void Discard(Http2Stream stream)
    {
        int unconsumed = stream.ReceiveWindow.Unconsumed;
        stream.ReceiveWindow.Consume(unconsumed);
        _receiveWindow.Consume(unconsumed);
    }

    private bool Forget(Http2Stream stream)
    {
        if (!_streams.Remove(stream))
            return false;
        _settings.GrowthBudget?.Return(stream.ReceiveWindow.Size - _settings.FirstStreamWindowBytes);
        return true;
    }
}
