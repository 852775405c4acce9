using Ztunnel.Dns.Messages;

namespace Ztunnel.Dns.Names;

/// <summary>Names that never leave the machine: RFC 6761 6.3 and 6.4, RFC 7686, and the reverse zones of loopback (RFC 6303).</summary>
internal static class SpecialNames
{
    private const uint Ttl = 86_400;
    private const string LoopbackIPv6Reverse = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa";

    private static ReadOnlySpan<byte> LoopbackIPv4 => [127, 0, 0, 1];

    private static ReadOnlySpan<byte> LoopbackIPv6 => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    private static ReadOnlySpan<byte> Localhost => "\u0009localhost\0"u8;

    /// <summary>The length of the answer, or 0 where the name is not special.</summary>
    public static int Answer(DnsQuery query, ReadOnlySpan<char> name, Span<byte> output, int limit)
    {
        if (IsWithin(name, "invalid") || IsWithin(name, "onion"))
            return AnswerWriter.WriteError(output, query, ResponseCode.NXDomain);

        bool isLocalhost = IsWithin(name, "localhost");
        if (!isLocalhost && !IsWithin(name, "127.in-addr.arpa") && !name.SequenceEqual(LoopbackIPv6Reverse))
            return 0;
        var writer = new AnswerWriter(output, query, limit);
        switch (query.Type)
        {
            case RecordType.A when isLocalhost: writer.Record(RecordType.A, LoopbackIPv4, Ttl); break;
            case RecordType.Aaaa when isLocalhost: writer.Record(RecordType.Aaaa, LoopbackIPv6, Ttl); break;
            case RecordType.Ptr when !isLocalhost: writer.Record(RecordType.Ptr, Localhost, Ttl); break;
            default: break; // the name exists and has no such record
        }

        return writer.Complete(isAuthoritative: false);
    }

    private static bool IsWithin(ReadOnlySpan<char> name, string zone) =>
        name.EndsWith(zone, StringComparison.Ordinal) && (name.Length == zone.Length || name[name.Length - zone.Length - 1] == '.');
}
