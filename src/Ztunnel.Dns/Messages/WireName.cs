using System.Text;

namespace Ztunnel.Dns.Messages;

/// <summary>
/// Names in messages (RFC 1035 3.1, 4.1.4): labels of up to 63 bytes, each behind its length, ended by an empty one or by a pointer to an earlier name.
/// <code>
/// 00nnnnnn label of n bytes | 11pppppp pppppppp pointer, last | 00000000 root, last
/// </code>
/// </summary>
internal static class WireName
{
    /// <summary>With all its length bytes.</summary>
    public const int LongestBytes = 255;

    private const int LongestLabelBytes = 63;
    private const byte PointerBits = 0xC0;

    /// <summary>Moves behind a name that may end in a pointer. What the pointer leads to is not looked at: nobody here needs it.</summary>
    public static bool TrySkip(ReadOnlySpan<byte> message, ref int offset)
    {
        int start = offset;
        while (offset < message.Length)
        {
            byte length = message[offset];
            if ((length & PointerBits) == PointerBits)
            {
                offset += 2;
                return offset <= message.Length;
            }

            if (length > LongestLabelBytes)
                return false;
            offset += 1 + length;
            if (length == 0)
                return offset - start <= LongestBytes;
        }

        return false;
    }

    /// <summary>Moves behind a name without pointers: the first name of a message has nothing to point to.</summary>
    public static bool TrySkipPlain(ReadOnlySpan<byte> message, ref int offset)
    {
        int start = offset;
        while (offset < message.Length)
        {
            byte length = message[offset];
            if (length > LongestLabelBytes)
                return false;
            offset += 1 + length;
            if (length == 0)
                return offset - start <= LongestBytes;
        }

        return false;
    }

    /// <summary>The name as look-ups want it: lower case, dots between labels, none at the end. False for what cannot be a host name: bytes that are no visible ASCII, or a dot inside a label.</summary>
    public static bool TryReadText(ReadOnlySpan<byte> name, Span<char> text, out int length)
    {
        length = 0;
        for (int offset = 0; name[offset] != 0; offset += 1 + name[offset])
        {
            if (length > 0)
                text[length++] = '.';
            foreach (byte value in name.Slice(offset + 1, name[offset]))
            {
                if (value is <= 0x20 or >= 0x7F or (byte)'.')
                    return false;
                text[length++] = (char)(value is >= (byte)'A' and <= (byte)'Z' ? value | 0x20 : value);
            }
        }

        return true;
    }

    /// <summary>For the log: lower case with the final dot, bytes that are no visible ASCII as \DDD (RFC 1035 5.1).</summary>
    public static string Describe(ReadOnlySpan<byte> name)
    {
        var text = new StringBuilder(name.Length);
        for (int offset = 0; name[offset] != 0; offset += 1 + name[offset])
        {
            foreach (byte value in name.Slice(offset + 1, name[offset]))
            {
                if (value is <= 0x20 or >= 0x7F or (byte)'.' or (byte)'\\')
                    text.Append('\\').Append(value.ToString("D3", System.Globalization.CultureInfo.InvariantCulture));
                else
                    text.Append(char.ToLowerInvariant((char)value));
            }

            text.Append('.');
        }

        return text.Length == 0 ? "." : text.ToString();
    }
}
