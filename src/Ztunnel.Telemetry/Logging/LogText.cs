using System.Buffers;
using System.Globalization;

namespace Ztunnel.Telemetry.Logging;

/// <summary>Escapes text so that no value can begin a field or a line of its own.</summary>
internal static class LogText
{
    private static readonly SearchValues<char> QuotedSpecials = SearchValues.Create([.. Controls(), '"', '\\']);
    private static readonly SearchValues<char> ControlCharacters = SearchValues.Create([.. Controls()]);

    /// <summary>A string field of the plain format: <c>"with \"quotes\" and \n"</c>, other controls as <c>\u{7f}</c>.</summary>
    public static void AppendQuoted(LogBuffer buffer, ReadOnlySpan<char> text)
    {
        buffer.Append((byte)'"');
        AppendEscaped(buffer, text, QuotedSpecials, json: false);
        buffer.Append((byte)'"');
    }

    /// <summary>Text outside quotes (message, bare value) of the plain format: only control characters are escaped.</summary>
    public static void AppendBare(LogBuffer buffer, ReadOnlySpan<char> text) => AppendEscaped(buffer, text, ControlCharacters, json: false);

    /// <summary>A JSON string with its quotes (RFC 8259 7).</summary>
    public static void AppendJson(LogBuffer buffer, ReadOnlySpan<char> text)
    {
        buffer.Append((byte)'"');
        AppendEscaped(buffer, text, QuotedSpecials, json: true);
        buffer.Append((byte)'"');
    }

    private static void AppendEscaped(LogBuffer buffer, ReadOnlySpan<char> text, SearchValues<char> specials, bool json)
    {
        for (int special = text.IndexOfAny(specials); special >= 0; special = text.IndexOfAny(specials))
        {
            buffer.Append(text[..special]);
            AppendEscape(buffer, text[special], json);
            text = text[(special + 1)..];
        }

        buffer.Append(text);
    }

    private static void AppendEscape(LogBuffer buffer, char character, bool json)
    {
        switch (character)
        {
            case '"': buffer.Append("\\\""u8); break;
            case '\\': buffer.Append("\\\\"u8); break;
            case '\n': buffer.Append("\\n"u8); break;
            case '\r': buffer.Append("\\r"u8); break;
            case '\t': buffer.Append("\\t"u8); break;
            default:
                buffer.Append(json
                    ? string.Create(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}")
                    : string.Create(CultureInfo.InvariantCulture, $"\\u{{{(int)character:x}}}"));
                break;
        }
    }

    private static IEnumerable<char> Controls() =>
        Enumerable.Range(0, 0x20).Concat(Enumerable.Range(0x7f, 0x21)).Select(static value => (char)value);
}
