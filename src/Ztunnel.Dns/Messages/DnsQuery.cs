using System.Buffers.Binary;

namespace Ztunnel.Dns.Messages;

/// <summary>What becomes of a message from a client (data-path 7.1).</summary>
internal enum QueryVerdict
{
    /// <summary>Too short to have an id, or itself an answer: answering would make us a tool for reflection.</summary>
    Drop,

    /// <summary>FORMERR, without a question since none could be read.</summary>
    Malformed,

    /// <summary>NOTIMP.</summary>
    NotImplemented,

    /// <summary>SERVFAIL with the questions it came with.</summary>
    NotOneQuestion,

    Accepted,
}

/// <summary>
/// A client's message, read in place: header, question, and the OPT record if there is one.
/// <code>
/// question (RFC 1035 4.1.2)   name | type:2 | class:2
/// record   (RFC 1035 4.1.3)   name | type:2 | class:2 | ttl:4 | length:2 | data
/// OPT      (RFC 6891 6.1.2)   0 | 41 | UDP payload size | extended code:1 version:1 DO:1 Z:15 | length | options
/// </code>
/// </summary>
internal readonly ref struct DnsQuery
{
    private const int OpcodeQuery = 0;
    private const int OpcodeUpdate = 5;
    private const int SmallestUdpBytes = 512; // RFC 1035 4.2.1

    // What a client may be sent in one datagram, whatever it asks for.
    private const int LargestUdpBytes = 65_507;

    public ReadOnlySpan<byte> Message { get; private init; }

    public DnsHeader Header { get; private init; }

    /// <summary>Where the question section ends; for a malformed message that of the header.</summary>
    public int QuestionEnd { get; private init; }

    public ushort Type { get; private init; }

    /// <summary>QUERY, as opposed to UPDATE.</summary>
    public bool IsLookup => Header.Opcode == OpcodeQuery;

    public bool HasEdns { get; private init; }

    public byte EdnsVersion { get; private init; }

    public bool DnssecOk { get; private init; }

    /// <summary>The largest answer over UDP: what the client says, at least 512 (RFC 6891 6.2.3).</summary>
    public int UdpLimit { get; private init; }

    /// <summary>The name asked for, as it came, with its final zero.</summary>
    public ReadOnlySpan<byte> Name => Message[DnsHeader.Bytes..(QuestionEnd - 4)];

    public ReadOnlySpan<byte> Questions => Message[DnsHeader.Bytes..QuestionEnd];

    public static QueryVerdict Read(ReadOnlySpan<byte> message, out DnsQuery query)
    {
        query = default;
        if (!DnsHeader.TryRead(message, out DnsHeader header) || header.IsResponse)
            return QueryVerdict.Drop;

        query = new DnsQuery { Message = message, Header = header, QuestionEnd = DnsHeader.Bytes, UdpLimit = SmallestUdpBytes };
        int offset = DnsHeader.Bytes;
        for (int count = 0; count < header.Questions; count++)
        {
            bool isName = count == 0 ? WireName.TrySkipPlain(message, ref offset) : WireName.TrySkip(message, ref offset);
            if (!isName || message.Length - offset < 4)
                return QueryVerdict.Malformed;
            offset += 4;
        }

        int questionEnd = offset;
        var edns = default(Edns);
        if (!TryReadRecords(message, ref offset, header.Answers + header.Authorities, isAdditional: false, ref edns)
            || !TryReadRecords(message, ref offset, header.Additionals, isAdditional: true, ref edns))
            return QueryVerdict.Malformed;

        query = new DnsQuery
        {
            Message = message,
            Header = header,
            QuestionEnd = questionEnd,
            Type = header.Questions == 1 ? BinaryPrimitives.ReadUInt16BigEndian(message[(questionEnd - 4)..]) : (ushort)0,
            HasEdns = edns.IsPresent,
            EdnsVersion = edns.Version,
            DnssecOk = edns.DnssecOk,
            UdpLimit = edns.IsPresent ? Math.Clamp((int)edns.UdpBytes, SmallestUdpBytes, LargestUdpBytes) : SmallestUdpBytes,
        };
        if (header.Opcode is not (OpcodeQuery or OpcodeUpdate))
            return QueryVerdict.NotImplemented;
        return header.Questions == 1 ? QueryVerdict.Accepted : QueryVerdict.NotOneQuestion;
    }

    private static bool TryReadRecords(ReadOnlySpan<byte> message, ref int offset, int count, bool isAdditional, ref Edns edns)
    {
        for (; count > 0; count--)
        {
            int start = offset;
            if (!WireName.TrySkip(message, ref offset) || message.Length - offset < 10)
                return false;
            ReadOnlySpan<byte> fixedPart = message.Slice(offset, 10);
            int dataBytes = BinaryPrimitives.ReadUInt16BigEndian(fixedPart[8..]);
            offset += 10 + dataBytes;
            if (offset > message.Length)
                return false;
            if (!isAdditional || BinaryPrimitives.ReadUInt16BigEndian(fixedPart) != RecordType.Opt)
                continue;
            if (edns.IsPresent || message[start] != 0)
                return false; // at most one, and owned by the root: RFC 6891 6.1.1
            edns = new Edns(IsPresent: true, BinaryPrimitives.ReadUInt16BigEndian(fixedPart[2..]), fixedPart[5], (fixedPart[6] & 0x80) != 0);
        }

        return true;
    }

    private readonly record struct Edns(bool IsPresent, ushort UdpBytes, byte Version, bool DnssecOk);
}
