using System.Buffers.Binary;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Tls.Records;

public sealed unsafe partial class TlsSession
{
    // Tickets, KeyUpdates and empty records in a row without a byte of data. Peers send two tickets at the start and a KeyUpdate now and then; each costs us as much as a record of data.
    private const int MaxControlRecordsInRow = 32;

    // A KeyUpdate makes us derive keys, and answer with one: some ten times the work of a small record. Peers send one in millions of records, or by the hour; so a few may come at once, and each
    // further one has to be earned by records of data.
    private const int MaxKeyUpdatesAtOnce = 32;
    private const int DataRecordsPerKeyUpdate = 64;

    private PostHandshakeReader _postHandshake;
    private int _controlRecordsInRow;
    private int _keyUpdatesLeft = MaxKeyUpdatesAtOnce;
    private int _dataRecordsTowardsKeyUpdate;
    private bool _peerClosed;

    /// <summary>Opens the record at the front of the received bytes, in place. Call again with what lies behind <see cref="OpenResult.Consumed"/> until it needs more.</summary>
    public OpenResult Open(Span<byte> received)
    {
        if (Failure is not null) return new OpenResult(OpenKind.Failed, 0, 0, 0);
        if (_peerClosed) return new OpenResult(OpenKind.CloseNotify, received.Length, 0, 0);
        if (received.Length < HeaderBytes) return OpenResult.NeedMore(HeaderBytes);

        // The header alone can be wrong: then there is no point in waiting for the rest.
        int protectedBytes = BinaryPrimitives.ReadUInt16BigEndian(received[3..]);
        if (received[0] != (byte)ContentType.ApplicationData) return Fail(TlsAlert.UnexpectedMessage, $"unprotected record of type {received[0]}");
        if (protectedBytes > MaxRecordBytes - HeaderBytes) return Fail(TlsAlert.RecordOverflow, $"record of {protectedBytes} bytes");
        if (protectedBytes < RecordProtection.TagBytes) return Fail(TlsAlert.BadRecordMac, $"record of {protectedBytes} bytes is shorter than its tag");

        int recordBytes = HeaderBytes + protectedBytes;
        if (received.Length < recordBytes) return OpenResult.NeedMore(recordBytes);

        int innerBytes = protectedBytes - RecordProtection.TagBytes;
        fixed (byte* record = received)
        {
            if (!_read.TryOpen(record, innerBytes)) return Fail(TlsAlert.BadRecordMac, "record does not authenticate");
        }

        if (innerBytes > MaxPlaintextBytes + 1) return Fail(TlsAlert.RecordOverflow, $"record with {innerBytes} bytes inside");

        // content, type, zeros: the type is the last byte that is not zero.
        Span<byte> inner = received.Slice(HeaderBytes, innerBytes);
        int typeAt = inner.LastIndexOfAnyExcept((byte)0);
        if (typeAt < 0) return Fail(TlsAlert.UnexpectedMessage, "record without a content type");

        var type = (ContentType)inner[typeAt];
        if (_postHandshake.IsMidMessage && type != ContentType.Handshake) return Fail(TlsAlert.UnexpectedMessage, "a handshake message was interrupted by another record");

        if (type == ContentType.ApplicationData && typeAt > 0)
        {
            _controlRecordsInRow = 0;
            EarnKeyUpdate();
            return new OpenResult(OpenKind.Data, recordBytes, HeaderBytes, typeAt);
        }

        return OpenControl(type, inner[..typeAt], recordBytes);
    }

    private OpenResult OpenControl(ContentType type, ReadOnlySpan<byte> content, int recordBytes)
    {
        if (++_controlRecordsInRow > MaxControlRecordsInRow)
            return Fail(TlsAlert.UnexpectedMessage, $"more than {MaxControlRecordsInRow} records in a row without data", TlsFailureReason.Flood);

        switch (type)
        {
            case ContentType.ApplicationData:
                return new OpenResult(OpenKind.Control, recordBytes, 0, 0);
            case ContentType.Alert:
                return OpenAlert(content, recordBytes);
            case ContentType.Handshake when content.IsEmpty:
                return Fail(TlsAlert.UnexpectedMessage, "empty handshake record");
            case ContentType.Handshake:
                return OpenHandshake(content, recordBytes);
            default:
                return Fail(TlsAlert.UnexpectedMessage, $"protected record of type {(byte)type}");
        }
    }

    private OpenResult OpenAlert(ReadOnlySpan<byte> content, int recordBytes)
    {
        if (content.Length != 2) return Fail(TlsAlert.DecodeError, $"alert of {content.Length} bytes");

        // The level means nothing in TLS 1.3: all but these two are errors (RFC 8446 6).
        switch ((TlsAlert)content[1])
        {
            case TlsAlert.CloseNotify:
                _peerClosed = true;
                return new OpenResult(OpenKind.CloseNotify, recordBytes, 0, 0);
            case TlsAlert.UserCanceled:
                return new OpenResult(OpenKind.Control, recordBytes, 0, 0);
            default:
                var alert = (TlsAlert)content[1];
                return Fail(answer: null, new TlsFailure(TlsFailureReason.AlertReceived, $"received fatal alert: {alert.Name()}", alert));
        }
    }

    private OpenResult OpenHandshake(ReadOnlySpan<byte> content, int recordBytes)
    {
        switch (_postHandshake.Read(content))
        {
            case PostHandshakeAction.None:
                break;
            case PostHandshakeAction.UpdateReadKeys or PostHandshakeAction.UpdateBothKeys when --_keyUpdatesLeft < 0:
                return Fail(TlsAlert.UnexpectedMessage, "more KeyUpdates than data calls for", TlsFailureReason.Flood);
            case PostHandshakeAction.UpdateReadKeys:
                _read.Update();
                break;
            case PostHandshakeAction.UpdateBothKeys:
                _read.Update();
                _keyUpdateWanted = true;
                break;
            case PostHandshakeAction.Unexpected:
                return Fail(TlsAlert.UnexpectedMessage, "handshake message that may not come after the handshake");
            case PostHandshakeAction.IllegalValue:
                return Fail(TlsAlert.IllegalParameter, "KeyUpdate that is neither requested nor not requested");
            default:
                return Fail(TlsAlert.DecodeError, "malformed handshake message");
        }

        return new OpenResult(OpenKind.Control, recordBytes, 0, 0);
    }

    private void EarnKeyUpdate()
    {
        if (_keyUpdatesLeft == MaxKeyUpdatesAtOnce || ++_dataRecordsTowardsKeyUpdate < DataRecordsPerKeyUpdate) return;
        _dataRecordsTowardsKeyUpdate = 0;
        _keyUpdatesLeft++;
    }

    private OpenResult Fail(TlsAlert alert, string message, TlsFailureReason? reason = null)
    {
        TlsFailureReason kind = reason ?? alert switch
        {
            TlsAlert.BadRecordMac => TlsFailureReason.BadRecord,
            TlsAlert.RecordOverflow => TlsFailureReason.TooLarge,
            _ => TlsFailureReason.ProtocolViolation,
        };
        return Fail(alert, new TlsFailure(kind, message));
    }

    private OpenResult Fail(TlsAlert? answer, TlsFailure failure)
    {
        Failure = failure;
        _pendingAlert = answer;
        _keyUpdateWanted = false;
        // Nobody listens to data any more; the alert, if any, is the last thing we write.
        _writeEnded = true;
        return new OpenResult(OpenKind.Failed, 0, 0, 0);
    }
}
