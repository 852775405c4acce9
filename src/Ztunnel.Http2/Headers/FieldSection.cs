using System.Text;
using Ztunnel.Http2.Hpack;

namespace Ztunnel.Http2.Headers;

/// <summary>
/// What remains of one header section when it has been read: the few values a tunnel wants, and whether the rules of RFC 9113 section 8 were kept. Filled field by
/// field; <see cref="IsMalformed"/> is a stream error, an invalid name is a connection error because that is what peers see today (data-path 3.2).
/// </summary>
internal struct FieldSection
{
    private const int FieldOverheadBytes = 32;    // RFC 9113 6.5.2: how MAX_HEADER_LIST_SIZE counts

    private bool _sawRegular;
    private bool _badBaggage;
    private bool _sawForwarded;
    private bool _sawTraceParent;
    private bool _sawNetwork;
    private string? _baggage;
    private List<string>? _baggageLines;    // when there are several: joined once, or a thousand short lines would cost a thousand growing copies

    public string? Method;
    public string? Authority;
    public string? Forwarded;
    public string? TraceParent;
    public string? ForwardedNetwork;
    public int Status;
    public bool HasScheme;
    public bool HasPath;
    public bool HasProtocol;
    public bool HasPseudo;
    public bool IsMalformed;
    public bool IsTooLarge;

    /// <summary>What the list counts so far, whether it is kept or not.</summary>
    public long ListBytes { get; private set; }

    /// <summary>All lines, joined with a comma; null when there is none or when one is not visible ASCII (data-path 2.8).</summary>
    public readonly string? Baggage => _badBaggage ? null : _baggageLines is null ? _baggage : string.Join(',', _baggageLines);

    /// <summary>False when the name is invalid.</summary>
    public bool Add(in HeaderField field, ref HeaderTexts texts, int maxListBytes)
    {
        ListBytes += field.Name.Length + field.Value.Length + FieldOverheadBytes;
        if (ListBytes > maxListBytes)
        {
            // Read on for the sake of the tables, keep nothing.
            IsTooLarge = true;
            return true;
        }
        HeaderName name = HeaderNames.Classify(field.Name);
        if (name == HeaderName.Invalid)
            return false;
        if (!IsValidValue(field.Value))
            IsMalformed = true;
        if (field.Name[0] == (byte)':')
            AddPseudo(name, field.Value, ref texts);
        else
            AddRegular(name, field.Value, ref texts);
        return true;
    }

    private void AddPseudo(HeaderName name, ReadOnlySpan<byte> value, ref HeaderTexts texts)
    {
        HasPseudo = true;
        IsMalformed |= _sawRegular;    // RFC 9113 8.3: pseudo header fields come first
        switch (name)
        {
            case HeaderName.Method:
                IsMalformed |= Method is not null || value.IsEmpty;
                Method = HeaderTexts.Method(value);
                break;
            case HeaderName.Authority:
                IsMalformed |= Authority is not null || value.IsEmpty;
                Authority = texts.Authority(value);
                break;
            case HeaderName.Scheme:
                IsMalformed |= HasScheme;
                HasScheme = true;
                break;
            case HeaderName.Path:
                IsMalformed |= HasPath || value.IsEmpty;
                HasPath = true;
                break;
            case HeaderName.Protocol:
                HasProtocol = true;
                break;
            case HeaderName.Status:
                IsMalformed |= Status != 0 || !TryReadStatus(value, out Status);
                break;
            default:
                IsMalformed = true;
                break;
        }
    }

    private void AddRegular(HeaderName name, ReadOnlySpan<byte> value, ref HeaderTexts texts)
    {
        _sawRegular = true;
        switch (name)
        {
            case HeaderName.ConnectionSpecific:
                IsMalformed = true;
                break;
            case HeaderName.Te:
                IsMalformed |= !value.SequenceEqual("trailers"u8);
                break;
            case HeaderName.Baggage:
                AddBaggage(value, ref texts);
                break;
            case HeaderName.Forwarded when !_sawForwarded:
                _sawForwarded = true;
                Forwarded = IsVisible(value) ? Encoding.ASCII.GetString(value) : null;
                break;
            case HeaderName.TraceParent when !_sawTraceParent:
                _sawTraceParent = true;
                TraceParent = IsVisible(value) ? Encoding.ASCII.GetString(value) : null;
                break;
            case HeaderName.ForwardedNetwork when !_sawNetwork:
                _sawNetwork = true;
                ForwardedNetwork = IsVisible(value) ? texts.Network(value) : null;
                break;
        }
    }

    private void AddBaggage(ReadOnlySpan<byte> value, ref HeaderTexts texts)
    {
        _badBaggage |= !IsVisible(value);
        if (_badBaggage)
            return;
        if (_baggage is null)
        {
            _baggage = texts.Baggage(value);
            return;
        }
        _baggageLines ??= [_baggage];
        _baggageLines.Add(Encoding.ASCII.GetString(value));
    }

    /// <summary>RFC 9113 8.2.1: no NUL, CR or LF anywhere, no space or tab at either end.</summary>
    private static bool IsValidValue(ReadOnlySpan<byte> value) =>
        value.IsEmpty || (value.IndexOfAny((byte)0, (byte)'\r', (byte)'\n') < 0 && value[0] is not ((byte)' ' or (byte)'\t') && value[^1] is not ((byte)' ' or (byte)'\t'));

    private static bool IsVisible(ReadOnlySpan<byte> value) => !value.ContainsAnyExceptInRange((byte)0x20, (byte)0x7e);

    private static bool TryReadStatus(ReadOnlySpan<byte> value, out int status)
    {
        status = -1;
        if (value.Length != 3 || value.ContainsAnyExceptInRange((byte)'0', (byte)'9') || value[0] == (byte)'0')
            return false;
        status = ((value[0] - '0') * 100) + ((value[1] - '0') * 10) + (value[2] - '0');
        return true;
    }
}
