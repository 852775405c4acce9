using System.Buffers;

namespace Ztunnel.Http2.Headers;

/// <summary>The header fields that mean something to a tunnel.</summary>
internal enum HeaderName
{
    Other,
    Method,
    Authority,
    Scheme,
    Path,
    Protocol,
    Status,
    UnknownPseudo,
    Baggage,
    Forwarded,
    TraceParent,
    ForwardedNetwork,

    /// <summary>RFC 9113 8.2.2: fields of an HTTP/1.1 hop, malformed here.</summary>
    ConnectionSpecific,

    /// <summary>RFC 9113 8.2.2: only "trailers" may be its value.</summary>
    Te,

    /// <summary>RFC 9113 8.2.1: upper case, or no token at all.</summary>
    Invalid,
}

/// <summary>Tells header names apart by length first: most are decided by one comparison.</summary>
internal static class HeaderNames
{
    // RFC 9110 5.6.2 token, without upper case (RFC 9113 8.2.1).
    private static readonly SearchValues<byte> NameBytes = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"u8);

    public static HeaderName Classify(ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty)
            return HeaderName.Invalid;
        if (name[0] == (byte)':')
            return ClassifyPseudo(name);
        switch (name.Length)
        {
            case 2 when name.SequenceEqual("te"u8):
                return HeaderName.Te;
            case 7 when name.SequenceEqual("baggage"u8):
                return HeaderName.Baggage;
            case 7 when name.SequenceEqual("upgrade"u8):
                return HeaderName.ConnectionSpecific;
            case 9 when name.SequenceEqual("forwarded"u8):
                return HeaderName.Forwarded;
            case 10 when name.SequenceEqual("connection"u8) || name.SequenceEqual("keep-alive"u8):
                return HeaderName.ConnectionSpecific;
            case 11 when name.SequenceEqual("traceparent"u8):
                return HeaderName.TraceParent;
            case 16 when name.SequenceEqual("proxy-connection"u8):
                return HeaderName.ConnectionSpecific;
            case 17 when name.SequenceEqual("transfer-encoding"u8):
                return HeaderName.ConnectionSpecific;
            case 19 when name.SequenceEqual("x-forwarded-network"u8):
                return HeaderName.ForwardedNetwork;
            default:
                return name.ContainsAnyExcept(NameBytes) ? HeaderName.Invalid : HeaderName.Other;
        }
    }

    private static HeaderName ClassifyPseudo(ReadOnlySpan<byte> name) => name.Length switch
    {
        5 when name.SequenceEqual(":path"u8) => HeaderName.Path,
        7 when name.SequenceEqual(":method"u8) => HeaderName.Method,
        7 when name.SequenceEqual(":status"u8) => HeaderName.Status,
        7 when name.SequenceEqual(":scheme"u8) => HeaderName.Scheme,
        9 when name.SequenceEqual(":protocol"u8) => HeaderName.Protocol,
        10 when name.SequenceEqual(":authority"u8) => HeaderName.Authority,
        _ => HeaderName.UnknownPseudo,
    };
}
