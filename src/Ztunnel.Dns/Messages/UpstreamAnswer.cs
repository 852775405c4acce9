namespace Ztunnel.Dns.Messages;

/// <summary>An answer of a resolver: whether it belongs to a question, and what is changed in it for the client: the id, and AA, since we are not that authority (data-path 7.6). All else stays as it came.</summary>
internal static class UpstreamAnswer
{
    /// <summary>Whether a message is an answer to exactly this question. The id has been compared already, and the socket takes datagrams of the resolver only.</summary>
    public static bool Answers(ReadOnlySpan<byte> answer, ReadOnlySpan<byte> query, int questionEnd)
    {
        if (!DnsHeader.TryRead(answer, out DnsHeader header) || !DnsHeader.TryRead(query, out DnsHeader asked) || answer.Length < questionEnd)
            return false;
        if (!header.IsResponse || header.Opcode != asked.Opcode || header.Questions != 1)
            return false;

        // Type and class must be equal; letters of the name may differ in case, which some resolvers do not keep.
        int nameEnd = questionEnd - 4;
        return answer[nameEnd..questionEnd].SequenceEqual(query[nameEnd..questionEnd]) && EqualsIgnoreCase(answer[DnsHeader.Bytes..nameEnd], query[DnsHeader.Bytes..nameEnd]);
    }

    /// <summary>Makes it the answer to the client's own message. The question gets the client's spelling back.</summary>
    public static void Adapt(Span<byte> answer, ReadOnlySpan<byte> query, int questionEnd)
    {
        DnsHeader.TryRead(answer, out DnsHeader header);
        query[..2].CopyTo(answer);
        DnsHeader.SetFlags(answer, (ushort)(header.Flags & ~DnsHeader.Authoritative));
        query[DnsHeader.Bytes..questionEnd].CopyTo(answer[DnsHeader.Bytes..]);
    }

    /// <summary>Cuts an answer that the client cannot take in one datagram down to its question, with TC: it asks again over TCP.</summary>
    public static int Truncate(Span<byte> answer, int questionEnd)
    {
        DnsHeader.TryRead(answer, out DnsHeader header);
        new DnsHeader(header.Id, (ushort)(header.Flags | DnsHeader.Truncated), 1, 0, 0, 0).Write(answer);
        return questionEnd;
    }

    private static bool EqualsIgnoreCase(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        // Length bytes are below 64 and letters above, so folding letters cannot make different labels equal.
        for (int index = 0; index < left.Length; index++)
        {
            if (Fold(left[index]) != Fold(right[index]))
                return false;
        }

        return true;
    }

    private static int Fold(byte value) => value is >= (byte)'A' and <= (byte)'Z' ? value | 0x20 : value;
}
