using Ztunnel.Http2;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Sockets;
using Ztunnel.Tls.Records;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// Lays TLS records of HTTP/2 frames one behind the other in a send buffer and seals each in place, so that what applications sent is copied once, by the kernel.
/// </summary>
/// <remarks>
/// <code>
/// | 5 record header | 9 DATA header | payload … | 1 type | 16 tag | 5 record header | 9 DATA header | payload …
///   ^ recordStart                                              ^ the next record starts where a full one ends
/// </code>
/// Frames of several streams share a record. A record is sealed when it is full or when the batch ends; until then its plaintext is open for the next frame.
/// A tunnel inside a tunnel writes its records into the payload of an outer one (<see cref="ReserveRecord"/>), so that its bytes are copied no more often.
/// </remarks>
internal ref struct RecordWriter
{
    private const int DataHeaderBytes = 9;

    private const int OverheadBytes = TlsSession.HeaderBytes + TlsSession.TrailerBytes;

    // Less room than this is not worth a frame header of its own: the record ends short and the next one starts.
    private const int SmallestUsefulPayloadBytes = 256;
    private const int SmallestUsefulRecordBytes = 2 * 1024;

    private readonly NativeBuffer _buffer;
    private readonly TlsSession _session;
    private readonly int _start;
    private readonly int _end;
    private readonly int _maxPlaintextBytes;
    private int _recordStart;
    private int _plaintextBytes;

    public RecordWriter(NativeBuffer buffer, TlsSession session)
        : this(buffer, 0, buffer.Length, session)
    {
    }

    /// <summary>Writes into a part of <paramref name="buffer"/>. One that is too small for a full record takes a smaller one.</summary>
    public RecordWriter(NativeBuffer buffer, int offset, int length, TlsSession session)
    {
        _buffer = buffer;
        _session = session;
        _start = _recordStart = offset;
        _end = offset + length;
        _maxPlaintextBytes = Math.Min(TlsSession.MaxPlaintextBytes, length - OverheadBytes);
    }

    /// <summary>Where <see cref="ReserveRecord"/> offers room.</summary>
    public readonly NativeBuffer Buffer => _buffer;

    // Reads of an application are spread over records of the full size before anyone knows how much will come.
    private readonly int FullRecordBytes => _maxPlaintextBytes + OverheadBytes;

    private readonly bool FitsFullRecord => _recordStart + FullRecordBytes <= _end;

    private readonly int PlaintextRoom => FitsFullRecord ? _maxPlaintextBytes - _plaintextBytes : 0;

    private readonly int Position => _recordStart + TlsSession.HeaderBytes + _plaintextBytes;

    /// <summary>Appends what the record layer itself has to say, as records of their own (KeyUpdate, alerts).</summary>
    public void AppendSessionControl()
    {
        if (!_session.HasControlOutput)
            return;

        SealOpenRecord();
        _recordStart += _session.WriteControl(_buffer.Span[_recordStart.._end]);
    }

    /// <summary>Appends queued HTTP/2 frames. False when some are left because the buffer is full: then nothing else may follow.</summary>
    public bool TryAppendFrames(Http2Connection connection)
    {
        while (connection.HasControlOutput && PlaintextRoom > 0)
        {
            int written = connection.WriteControl(_buffer.Span.Slice(Position, PlaintextRoom));
            if (written > 0)
                Advance(written);
            else if (_plaintextBytes > 0)
                SealOpenRecord();
            else
                break;
        }

        return !connection.HasControlOutput;
    }

    /// <summary>Offers room for up to <paramref name="maxBytes"/> payload bytes of one stream, already spread over records. Nothing is taken before <see cref="CommitPayload"/>.</summary>
    /// <returns>The payload bytes offered; 0 when the buffer is full.</returns>
    public int ReservePayload(ref IoVectors vectors, int maxBytes)
    {
        if (PlaintextRoom < DataHeaderBytes + SmallestUsefulPayloadBytes)
            SealOpenRecord();

        int reserved = 0;
        int start = _recordStart;
        int used = _plaintextBytes;
        while (reserved < maxBytes && start + FullRecordBytes <= _end && vectors.Count < IoVectors.Capacity)
        {
            int room = Math.Min(_maxPlaintextBytes - used - DataHeaderBytes, maxBytes - reserved);
            vectors.Add(_buffer, start + TlsSession.HeaderBytes + used + DataHeaderBytes, room);
            reserved += room;
            start += FullRecordBytes;
            used = 0;

            // For a small message the rest of the open record is enough: one piece costs the kernel less than two.
            if (maxBytes <= _maxPlaintextBytes && reserved * 2 >= maxBytes)
                break;
        }

        return reserved;
    }

    /// <summary>Turns the first <paramref name="bytes"/> bytes of the reserved room into DATA frames of <paramref name="stream"/> and seals the records they fill.</summary>
    public void CommitPayload(Http2Stream stream, int bytes)
    {
        while (bytes > 0)
        {
            int payload = Math.Min(bytes, _maxPlaintextBytes - _plaintextBytes - DataHeaderBytes);
            stream.WriteDataHeader(_buffer.Span.Slice(Position, DataHeaderBytes), payload, endStream: false);
            bytes -= payload;
            Advance(DataHeaderBytes + payload);
        }
    }

    /// <summary>Offers room for payload in one piece, inside one record, for a tunnel that writes a record of its own there. <see cref="CommitPayload"/> takes what it used.</summary>
    /// <returns>The bytes offered; 0 when the buffer is full.</returns>
    public int ReserveRecord(int maxBytes, out int offset)
    {
        if (PlaintextRoom < DataHeaderBytes + Math.Min(maxBytes, SmallestUsefulRecordBytes))
            SealOpenRecord();
        offset = Position + DataHeaderBytes;
        return Math.Max(0, Math.Min(PlaintextRoom - DataHeaderBytes, maxBytes));
    }

    /// <summary>Appends bytes that already lie in memory as one DATA frame, as much of them as fits the open record.</summary>
    /// <returns>The bytes taken.</returns>
    public int AppendPayload(Http2Stream stream, ReadOnlySpan<byte> payload)
    {
        if (PlaintextRoom < DataHeaderBytes + Math.Min(payload.Length, SmallestUsefulPayloadBytes))
            SealOpenRecord();

        int taken = Math.Min(payload.Length, PlaintextRoom - DataHeaderBytes);
        if (taken <= 0)
            return 0;

        payload[..taken].CopyTo(_buffer.Span.Slice(Position + DataHeaderBytes, taken));
        CommitPayload(stream, taken);
        return taken;
    }

    /// <summary>Ends our side of <paramref name="stream"/> with an empty DATA frame. False when the buffer is full.</summary>
    public bool TryAppendEndOfStream(Http2Stream stream)
    {
        if (PlaintextRoom < DataHeaderBytes)
            SealOpenRecord();
        if (PlaintextRoom < DataHeaderBytes)
            return false;

        stream.WriteDataHeader(_buffer.Span.Slice(Position, DataHeaderBytes), 0, endStream: true);
        Advance(DataHeaderBytes);
        return true;
    }

    /// <summary>Seals what is still open and returns the number of all bytes ready for the wire.</summary>
    public int Complete()
    {
        SealOpenRecord();
        return _recordStart - _start;
    }

    private void Advance(int bytes)
    {
        _plaintextBytes += bytes;
        if (_plaintextBytes == _maxPlaintextBytes)
            SealOpenRecord();
    }

    private void SealOpenRecord()
    {
        if (_plaintextBytes == 0)
            return;

        // Sealed at once: the bytes are still in the cache from the read that brought them.
        _recordStart += _session.Seal(_buffer.Span[_recordStart..], _plaintextBytes);
        _plaintextBytes = 0;
    }
}
