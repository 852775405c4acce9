using System.Text;

namespace Ztunnel.Http2.Hpack;

/// <summary>
/// Writes the two header sections a tunnel has: the CONNECT and its answer. No dynamic table: `forwarded` and `traceparent` differ on every request, and without a table
/// connections cost nothing while idle. Literals are "not indexed", so the peer keeps no table for us either. Names and the method are encoded once.
/// </summary>
internal static class HpackEncoder
{
    private const byte LiteralNotIndexed = 0x00;
    private const byte HuffmanText = 0x80;
    private const int AuthorityIndex = 1;
    private const int MethodIndex = 2;
    private const int FirstStatusIndex = 8;
    private const int LengthBytes = 5;

    // Texts up to this size are prepared on the stack: every authority, and the baggage of workloads with usual names.
    private const int StackBytes = 512;

    private static readonly byte[] MethodConnect = Concat([LiteralNotIndexed | MethodIndex], Text("CONNECT"));
    private static readonly byte[] Baggage = Concat([LiteralNotIndexed], Text("baggage"));
    private static readonly byte[] Forwarded = Concat([LiteralNotIndexed], Text("forwarded"));
    private static readonly byte[] TraceParent = Concat([LiteralNotIndexed], Text("traceparent"));
    private static readonly byte[] ForwardedNetwork = Concat([LiteralNotIndexed], Text("x-forwarded-network"));

    // Table size 0, the only thing our encoder can say about a table it does not use (RFC 7541 4.2 wants it said when the peer lowers the limit).
    private const byte TableSizeZero = 0x20;

    public static int MaxBytes(in ConnectRequest request) =>
        1 + MethodConnect.Length + Baggage.Length + Forwarded.Length + TraceParent.Length + ForwardedNetwork.Length + (5 * LengthBytes) + 1
        + MaxBytes(request.Authority) + MaxBytes(request.Baggage) + MaxBytes(request.Forwarded) + MaxBytes(request.TraceParent) + MaxBytes(request.ForwardedNetwork);

    public static int WriteConnect(Span<byte> destination, in ConnectRequest request, bool sizeUpdate)
    {
        int written = 0;
        if (sizeUpdate)
            destination[written++] = TableSizeZero;
        written += Copy(destination[written..], MethodConnect);
        destination[written++] = LiteralNotIndexed | AuthorityIndex;
        written += WriteText(destination[written..], request.Authority);
        written += WriteField(destination[written..], Baggage, request.Baggage);
        written += WriteField(destination[written..], Forwarded, request.Forwarded);
        written += WriteField(destination[written..], TraceParent, request.TraceParent);
        if (request.ForwardedNetwork is not null)
            written += WriteField(destination[written..], ForwardedNetwork, request.ForwardedNetwork);
        return written;
    }

    public static int MaxResponseBytes(string? baggage) => 1 + 5 + Baggage.Length + LengthBytes + MaxBytes(baggage);

    public static int WriteResponse(Span<byte> destination, int status, string? baggage, bool sizeUpdate)
    {
        int written = 0;
        if (sizeUpdate)
            destination[written++] = TableSizeZero;
        int index = status switch { 200 => 8, 204 => 9, 206 => 10, 304 => 11, 400 => 12, 404 => 13, 500 => 14, _ => 0 };
        if (index != 0)
        {
            destination[written++] = (byte)(0x80 | index);
        }
        else
        {
            destination[written++] = LiteralNotIndexed | FirstStatusIndex;
            written += WriteText(destination[written..], [(char)('0' + (status / 100)), (char)('0' + (status / 10 % 10)), (char)('0' + (status % 10))]);
        }
        if (baggage is not null)
            written += WriteField(destination[written..], Baggage, baggage);
        return written;
    }

    private static int MaxBytes(ReadOnlySpan<char> text) => text.Length * 3;    // UTF-8; Huffman is used only where it is shorter

    private static int WriteField(Span<byte> destination, byte[] name, ReadOnlySpan<char> value)
    {
        int written = Copy(destination, name);
        return written + WriteText(destination[written..], value);
    }

    private static int WriteText(Span<byte> destination, ReadOnlySpan<char> text)
    {
        int max = MaxBytes(text);
        Span<byte> bytes = max <= StackBytes ? stackalloc byte[StackBytes] : new byte[max];
        int length = Encoding.UTF8.GetBytes(text, bytes);
        return WriteText(destination, WithoutControls(bytes[..length]));
    }

    /// <summary>RFC 9113 8.2.1 forbids NUL, CR and LF in values, and spaces around them. Ours come from mesh configuration: what a name smuggles in is left out.</summary>
    private static Span<byte> WithoutControls(Span<byte> text)
    {
        if (!text.ContainsAnyInRange((byte)0, (byte)0x1f))
            return text.Trim((byte)' ');
        int kept = 0;
        foreach (byte b in text)
        {
            if (b >= 0x20)
                text[kept++] = b;
        }
        return text[..kept].Trim((byte)' ');
    }

    private static int WriteText(Span<byte> destination, ReadOnlySpan<byte> text)
    {
        int encoded = HuffmanCode.EncodedBytes(text);
        if (encoded >= text.Length)
        {
            int plain = HpackInteger.Write(destination, 7, 0, text.Length);
            return plain + Copy(destination[plain..], text);
        }
        int written = HpackInteger.Write(destination, 7, HuffmanText, encoded);
        return written + HuffmanCode.Encode(text, destination[written..]);
    }

    private static int Copy(Span<byte> destination, ReadOnlySpan<byte> source)
    {
        source.CopyTo(destination);
        return source.Length;
    }

    private static byte[] Text(string text)
    {
        Span<byte> destination = stackalloc byte[64];
        return destination[..WriteText(destination, Encoding.ASCII.GetBytes(text))].ToArray();
    }

    private static byte[] Concat(byte[] first, byte[] second) => [.. first, .. second];
}
