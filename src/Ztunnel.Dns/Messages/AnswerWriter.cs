using System.Buffers.Binary;

namespace Ztunnel.Dns.Messages;

/// <summary>
/// Builds one answer: header, the client's question, address records behind an optional CNAME, and OPT if the client sent one. What exceeds the limit is left out and TC says so (RFC 2181 9).
/// The first record carries its owner's name in full and later ones point to it. Names keep the spelling of the query, so that a client may vary their case against forgers.
/// </summary>
internal ref struct AnswerWriter
{
    private const int OptBytes = 11;
    private const int RecordHeadBytes = 10;
    private const ushort Pointer = 0xC000;

    private readonly Span<byte> _output;
    private readonly DnsQuery _query;
    private readonly int _limit;
    private int _length;
    private ushort _records;
    private bool _isTruncated;

    public AnswerWriter(Span<byte> output, DnsQuery query, int limit)
    {
        _query = query;
        _output = output;
        _limit = Math.Min(limit, output.Length) - (query.HasEdns ? OptBytes : 0);
        query.Questions.CopyTo(output[DnsHeader.Bytes..]);
        _length = query.QuestionEnd;
    }

    /// <summary>An answer without records and without OPT: the form of every error.</summary>
    public static int WriteError(Span<byte> output, DnsQuery query, ResponseCode code)
    {
        query.Questions.CopyTo(output[DnsHeader.Bytes..]);
        ushort questions = query.QuestionEnd > DnsHeader.Bytes ? query.Header.Questions : (ushort)0;
        new DnsHeader(query.Header.Id, (ushort)(EchoedFlags(query) | (ushort)code), questions, 0, 0, 0).Write(output);
        return query.QuestionEnd;
    }

    /// <summary>The first part of the name asked for is an alias of the service: CNAME to it, and its addresses belong to that name.</summary>
    /// <param name="strippedBytes">How many bytes of the name come before the search domain, without a final zero.</param>
    /// <param name="ttl">Seconds.</param>
    public void Cname(int strippedBytes, uint ttl)
    {
        ReadOnlySpan<byte> name = _query.Name;
        int owner = _length;
        if (!HasRoom(name.Length + RecordHeadBytes + strippedBytes + 1))
            return;
        name.CopyTo(_output[_length..]);
        _length += name.Length;
        int data = Head(RecordType.Cname, ttl);
        WriteTarget(name, strippedBytes, owner);
        EndData(data);
        _records++;
    }

    /// <summary>Address records, of 4 or 16 bytes each, in the order given.</summary>
    public void Addresses(ReadOnlySpan<byte> addresses, int addressBytes, int strippedBytes, uint ttl)
    {
        ushort type = addressBytes == 4 ? RecordType.A : RecordType.Aaaa;
        int owner = _length;
        bool isNamed = false;
        if (strippedBytes > 0)
        {
            owner = _query.QuestionEnd + _query.Name.Length + RecordHeadBytes; // the CNAME's data
            isNamed = true;
        }

        for (int offset = 0; offset < addresses.Length && !_isTruncated; offset += addressBytes)
        {
            ReadOnlySpan<byte> name = isNamed ? default : _query.Name;
            if (!HasRoom((isNamed ? 2 : name.Length) + RecordHeadBytes + addressBytes))
                return;
            if (isNamed)
            {
                BinaryPrimitives.WriteUInt16BigEndian(_output[_length..], (ushort)(Pointer | owner));
                _length += 2;
            }
            else
            {
                name.CopyTo(_output[_length..]);
                _length += name.Length;
                isNamed = true;
            }

            int data = Head(type, ttl);
            addresses.Slice(offset, addressBytes).CopyTo(_output[_length..]);
            _length += addressBytes;
            EndData(data);
            _records++;
        }
    }

    /// <summary>One record of a name, data written as it is.</summary>
    public void Record(ushort type, ReadOnlySpan<byte> data, uint ttl)
    {
        ReadOnlySpan<byte> name = _query.Name;
        if (!HasRoom(name.Length + RecordHeadBytes + data.Length))
            return;
        name.CopyTo(_output[_length..]);
        _length += name.Length;
        int start = Head(type, ttl);
        data.CopyTo(_output[_length..]);
        _length += data.Length;
        EndData(start);
        _records++;
    }

    /// <summary>Adds what comes last; the result is the length of the answer.</summary>
    public int Complete(bool isAuthoritative, ResponseCode code = ResponseCode.NoError)
    {
        if (_query.HasEdns)
            WriteOpt();
        int flags = EchoedFlags(_query) | DnsHeader.RecursionAvailable | (isAuthoritative ? DnsHeader.Authoritative : 0) | (_isTruncated ? DnsHeader.Truncated : 0) | (int)code;
        new DnsHeader(_query.Header.Id, (ushort)flags, 1, _records, 0, _query.HasEdns ? (ushort)1 : (ushort)0).Write(_output);
        return _length;
    }

    private static int EchoedFlags(DnsQuery query) => DnsHeader.Response | (query.Header.Flags & (DnsHeader.OpcodeMask | DnsHeader.RecursionDesired));

    private bool HasRoom(int bytes)
    {
        if (_length + bytes <= _limit)
            return true;
        _isTruncated = true;
        return false;
    }

    private int Head(ushort type, uint ttl)
    {
        Span<byte> head = _output.Slice(_length, RecordHeadBytes);
        BinaryPrimitives.WriteUInt16BigEndian(head, type);
        BinaryPrimitives.WriteUInt16BigEndian(head[2..], RecordType.InternetClass);
        BinaryPrimitives.WriteUInt32BigEndian(head[4..], ttl);
        _length += RecordHeadBytes;
        return _length;
    }

    private readonly void EndData(int start) => BinaryPrimitives.WriteUInt16BigEndian(_output[(start - 2)..], (ushort)(_length - start));

    // The longest end that the alias shares with its own full name is a pointer into that name.
    private void WriteTarget(ReadOnlySpan<byte> name, int strippedBytes, int owner)
    {
        for (int label = 0; label < strippedBytes; label += 1 + name[label])
        {
            int tail = name.Length - 1 - (strippedBytes - label);
            if (IsLabelStart(name, tail) && System.Text.Ascii.EqualsIgnoreCase(name[label..strippedBytes], name[tail..^1]))
            {
                BinaryPrimitives.WriteUInt16BigEndian(_output[_length..], (ushort)(Pointer | (owner + tail)));
                _length += 2;
                return;
            }

            int bytes = 1 + name[label];
            name.Slice(label, bytes).CopyTo(_output[_length..]);
            _length += bytes;
        }

        _output[_length++] = 0;
    }

    private static bool IsLabelStart(ReadOnlySpan<byte> name, int offset)
    {
        int label = 0;
        while (label < offset && name[label] != 0)
            label += 1 + name[label];
        return label == offset;
    }

    private void WriteOpt()
    {
        Span<byte> opt = _output.Slice(_length, OptBytes);
        opt.Clear();
        BinaryPrimitives.WriteUInt16BigEndian(opt[1..], RecordType.Opt);
        BinaryPrimitives.WriteUInt16BigEndian(opt[3..], (ushort)_query.UdpLimit);
        opt[6] = _query.EdnsVersion;
        opt[7] = _query.DnssecOk ? (byte)0x80 : (byte)0;
        _length += OptBytes;
    }
}
