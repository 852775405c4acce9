using System.Buffers.Binary;
using Ztunnel.Tls.Records;

namespace Ztunnel.Tls.Handshake;

/// <summary>What the bytes just looked at did to the current record.</summary>
internal enum FramingResult
{
    /// <summary>The record goes on.</summary>
    Partial,

    /// <summary>The last of the bytes taken ends it.</summary>
    Complete,

    /// <summary>Its five header bytes are no TLS record header, or promise more than a record may hold.</summary>
    Malformed,
}

/// <summary>
/// Finds the ends of records in a stream that may arrive in any pieces, so that the library is never given bytes behind the handshake's last record.
/// <code>
/// | type 1 | legacy version 2 | length 2 | length bytes |
/// </code>
/// </summary>
internal struct RecordFramer
{
    private ulong _header;
    private int _headerBytes;
    private int _bodyBytesLeft;

    /// <summary>Whether a whole record has gone by.</summary>
    internal bool SawRecord { get; private set; }

    /// <summary>Counts off bytes of one record, at most to its end.</summary>
    internal FramingResult Take(ReadOnlySpan<byte> received, out int taken)
    {
        taken = 0;
        while (_headerBytes < TlsSession.HeaderBytes)
        {
            if (taken == received.Length) return FramingResult.Partial;
            _header = (_header << 8) | received[taken++];
            if (++_headerBytes == TlsSession.HeaderBytes && !ReadHeader()) return FramingResult.Malformed;
        }

        int body = Math.Min(_bodyBytesLeft, received.Length - taken);
        taken += body;
        _bodyBytesLeft -= body;
        if (_bodyBytesLeft > 0) return FramingResult.Partial;

        _header = 0;
        _headerBytes = 0;
        SawRecord = true;
        return FramingResult.Complete;
    }

    private bool ReadHeader()
    {
        Span<byte> header = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(header, _header);
        byte type = header[3];
        byte major = header[4];
        _bodyBytesLeft = BinaryPrimitives.ReadUInt16BigEndian(header[6..]);
        return type is >= (byte)ContentType.ChangeCipherSpec and <= (byte)ContentType.ApplicationData && major == 3 && _bodyBytesLeft <= TlsSession.MaxRecordBytes - TlsSession.HeaderBytes;
    }
}
