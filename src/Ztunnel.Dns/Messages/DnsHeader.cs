using System.Buffers.Binary;

namespace Ztunnel.Dns.Messages;

/// <summary>
/// The first 12 bytes of a message (RFC 1035 4.1.1), all numbers in network order.
/// <code>
///   0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
/// +-----------------------------------------------+
/// |                      ID                       |
/// |QR|   Opcode  |AA|TC|RD|RA| Z|AD|CD|   RCODE   |
/// |  QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT: 16 each  |
/// +-----------------------------------------------+
/// </code>
/// </summary>
internal readonly record struct DnsHeader(ushort Id, ushort Flags, ushort Questions, ushort Answers, ushort Authorities, ushort Additionals)
{
    public const int Bytes = 12;

    public const ushort Response = 0x8000;
    public const ushort OpcodeMask = 0x7800;
    public const ushort Authoritative = 0x0400;
    public const ushort Truncated = 0x0200;
    public const ushort RecursionDesired = 0x0100;
    public const ushort RecursionAvailable = 0x0080;
    public const ushort CodeMask = 0x000F;

    private const int OpcodeShift = 11;
    private const int FlagsOffset = 2;

    public bool IsResponse => (Flags & Response) != 0;

    public bool IsTruncated => (Flags & Truncated) != 0;

    public int Opcode => (Flags & OpcodeMask) >> OpcodeShift;

    public ResponseCode Code => (ResponseCode)(Flags & CodeMask);

    public static bool TryRead(ReadOnlySpan<byte> message, out DnsHeader header)
    {
        if (message.Length < Bytes)
        {
            header = default;
            return false;
        }

        header = new DnsHeader(Word(message, 0), Word(message, 1), Word(message, 2), Word(message, 3), Word(message, 4), Word(message, 5));
        return true;
    }

    public void Write(Span<byte> message)
    {
        BinaryPrimitives.WriteUInt16BigEndian(message, Id);
        BinaryPrimitives.WriteUInt16BigEndian(message[FlagsOffset..], Flags);
        BinaryPrimitives.WriteUInt16BigEndian(message[4..], Questions);
        BinaryPrimitives.WriteUInt16BigEndian(message[6..], Answers);
        BinaryPrimitives.WriteUInt16BigEndian(message[8..], Authorities);
        BinaryPrimitives.WriteUInt16BigEndian(message[10..], Additionals);
    }

    public static void SetId(Span<byte> message, ushort id) => BinaryPrimitives.WriteUInt16BigEndian(message, id);

    public static void SetFlags(Span<byte> message, ushort flags) => BinaryPrimitives.WriteUInt16BigEndian(message[FlagsOffset..], flags);

    private static ushort Word(ReadOnlySpan<byte> message, int index) => BinaryPrimitives.ReadUInt16BigEndian(message[(index * 2)..]);
}

/// <summary>RCODE, as far as this program has to tell them apart (RFC 1035 4.1.1, RFC 2136 2.2).</summary>
internal enum ResponseCode
{
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NXDomain = 3,
    NotImp = 4,
    Refused = 5,
}
