using System.Buffers.Binary;
using System.Net;

namespace Ztunnel.Dns.Tests.Reference;

/// <summary>An answer taken apart by code that shares nothing with the product.</summary>
public sealed class ParsedAnswer
{
    private readonly byte[] _message;

    public ParsedAnswer(byte[] message)
    {
        _message = message;
        int offset = 12;
        for (int count = 0; count < Word(4); count++)
            offset = SkipName(offset) + 4;
        for (int count = 0; count < Word(6); count++)
        {
            string owner = ReadName(offset);
            offset = SkipName(offset);
            ushort type = Word(offset);
            int length = Word(offset + 8);
            Records.Add((owner, type, BinaryPrimitives.ReadUInt32BigEndian(message.AsSpan(offset + 4)), offset + 10, length));
            offset += 10 + length;
        }

        AnswerEnd = offset;
    }

    public List<(string Owner, ushort Type, uint Ttl, int Offset, int Length)> Records { get; } = [];

    public int AnswerEnd { get; }

    public ushort Flags => Word(2);

    public int Code => Flags & 15;

    public bool IsTruncated => (Flags & 0x0200) != 0;

    public IEnumerable<IPAddress> Addresses => Records.Where(static record => record.Type is 1 or 28).Select(record => new IPAddress(_message.AsSpan(record.Offset, record.Length)));

    /// <summary>The message with its address records in one order: theirs is shuffled.</summary>
    public byte[] Sorted()
    {
        byte[] sorted = [.. _message];
        var places = Records.Where(static record => record.Type is 1 or 28).ToList();
        byte[][] data = [.. places.Select(place => _message[place.Offset..(place.Offset + place.Length)]).OrderBy(Convert.ToHexString, StringComparer.Ordinal)];
        for (int index = 0; index < data.Length; index++)
            data[index].CopyTo(sorted, places[index].Offset);
        return sorted;
    }

    public string Cname(int record) => ReadName(Records[record].Offset);

    private ushort Word(int offset) => BinaryPrimitives.ReadUInt16BigEndian(_message.AsSpan(offset));

    private int SkipName(int offset)
    {
        while (_message[offset] != 0)
        {
            if (_message[offset] >= 0xC0)
                return offset + 2;
            offset += 1 + _message[offset];
        }

        return offset + 1;
    }

    private string ReadName(int offset)
    {
        var labels = new List<string>();
        while (_message[offset] != 0)
        {
            if (_message[offset] >= 0xC0)
            {
                offset = Word(offset) & 0x3FFF;
                continue;
            }

            labels.Add(System.Text.Encoding.Latin1.GetString(_message, offset + 1, _message[offset]));
            offset += 1 + _message[offset];
        }

        return string.Join('.', labels) + ".";
    }
}
