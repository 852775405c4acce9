using System.Buffers.Binary;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Tls.Records;

public sealed unsafe partial class TlsSession
{
    private const int KeyUpdateRecordBytes = HeaderBytes + 5 + TrailerBytes;
    private const int AlertRecordBytes = HeaderBytes + 2 + TrailerBytes;
    private const byte WarningLevel = 1;
    private const byte FatalLevel = 2;

    private readonly ulong _updateAfterRecords;
    private bool _keyUpdateWanted;
    private bool _writeEnded;
    private TlsAlert? _pendingAlert;

    /// <summary>Whether <see cref="WriteControl"/> has something that must go out before the next data: a KeyUpdate that the peer asked for or that our keys need, or an alert.</summary>
    public bool HasControlOutput => _pendingAlert is not null || (!_writeEnded && (_keyUpdateWanted || _write.Sequence >= _updateAfterRecords));

    /// <summary>
    /// Seals a record in place: <see cref="HeaderBytes"/> of room, the plaintext, <see cref="TrailerBytes"/> of room. Returns its size. Ask <see cref="HasControlOutput"/> first.
    /// </summary>
    public int Seal(Span<byte> record, int plaintextBytes)
    {
        if (_writeEnded) throw new InvalidOperationException("The session has said that it sends nothing more");
        return SealRecord(record, plaintextBytes, ContentType.ApplicationData);
    }

    /// <summary>Writes what <see cref="HasControlOutput"/> speaks of, already sealed. Needs <see cref="ControlBytes"/> of room; returns the bytes written.</summary>
    public int WriteControl(Span<byte> destination)
    {
        int written = 0;
        if (!_writeEnded && (_keyUpdateWanted || _write.Sequence >= _updateAfterRecords)) written = WriteKeyUpdate(destination);
        if (_pendingAlert is { } alert)
        {
            written += SealAlert(destination[written..], FatalLevel, alert);
            _pendingAlert = null;
        }

        return written;
    }

    /// <summary>Tells the peer that nothing more comes; we may still read. 0 when that, or an alert, has been said before.</summary>
    public int WriteCloseNotify(Span<byte> destination)
    {
        if (_writeEnded) return 0;
        int written = SealAlert(destination, WarningLevel, TlsAlert.CloseNotify);
        _writeEnded = true;
        return written;
    }

    private int WriteKeyUpdate(Span<byte> destination)
    {
        // Handshake type 24, length 1, update_not_requested: one answer serves any number of requests (RFC 8446 4.6.3).
        ReadOnlySpan<byte> message = [24, 0, 0, 1, 0];
        Span<byte> record = destination[..KeyUpdateRecordBytes];
        message.CopyTo(record[HeaderBytes..]);
        int written = SealRecord(record, message.Length, ContentType.Handshake);
        _write.Update();
        _keyUpdateWanted = false;
        return written;
    }

    private int SealAlert(Span<byte> destination, byte level, TlsAlert alert)
    {
        Span<byte> record = destination[..AlertRecordBytes];
        record[HeaderBytes] = level;
        record[HeaderBytes + 1] = (byte)alert;
        return SealRecord(record, 2, ContentType.Alert);
    }

    private int SealRecord(Span<byte> record, int plaintextBytes, ContentType type)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)plaintextBytes, (uint)MaxPlaintextBytes);
        int recordBytes = HeaderBytes + plaintextBytes + TrailerBytes;
        ArgumentOutOfRangeException.ThrowIfLessThan(record.Length, recordBytes);
        if (_write.Sequence >= MaxRecordsPerKey) throw new InvalidOperationException("The keys have sealed as many records as they may; WriteControl has not been called");

        record[0] = (byte)ContentType.ApplicationData;
        BinaryPrimitives.WriteUInt16BigEndian(record[1..], 0x0303);
        BinaryPrimitives.WriteUInt16BigEndian(record[3..], (ushort)(plaintextBytes + TrailerBytes));
        record[HeaderBytes + plaintextBytes] = (byte)type;
        fixed (byte* header = record)
        {
            _write.Seal(header, plaintextBytes + 1);
        }

        return recordBytes;
    }
}
