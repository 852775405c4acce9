using System.Text;

namespace Ztunnel.Http2.Headers;

/// <summary>
/// Strings of header values. The requests on a tunnel mostly repeat authority, baggage and network, so the last one of each is kept and given again: a CONNECT then allocates
/// only what is new about it.
/// </summary>
internal struct HeaderTexts
{
    private string? _authority;
    private string? _baggage;
    private string? _network;

    public static string Method(ReadOnlySpan<byte> value) => value.SequenceEqual("CONNECT"u8) ? "CONNECT" : Encoding.Latin1.GetString(value);

    public string Authority(ReadOnlySpan<byte> value) => Reuse(ref _authority, value);

    public string Baggage(ReadOnlySpan<byte> value) => Reuse(ref _baggage, value);

    public string Network(ReadOnlySpan<byte> value) => Reuse(ref _network, value);

    private static string Reuse(ref string? last, ReadOnlySpan<byte> value)
    {
        if (last is null || last.Length != value.Length || !Ascii.Equals(value, last))
            last = Encoding.Latin1.GetString(value);
        return last;
    }
}
