namespace Ztunnel.Http2.Hpack;

/// <summary>
/// RFC 7541 5.1: a value that fits the prefix is the prefix; else the prefix is all ones and the rest follows in groups of seven bits, least significant first,
/// the high bit saying that more follows.
/// </summary>
internal static class HpackInteger
{
    /// <summary>More than any length or index that can be valid here; larger values are refused before they can overflow.</summary>
    public const int MaxValue = (1 << 28) - 1;

    public static int Write(Span<byte> destination, int prefixBits, byte pattern, int value)
    {
        int max = (1 << prefixBits) - 1;
        if (value < max)
        {
            destination[0] = (byte)(pattern | value);
            return 1;
        }
        destination[0] = (byte)(pattern | max);
        int rest = value - max;
        int written = 1;
        while (rest >= 0x80)
        {
            destination[written++] = (byte)(0x80 | (rest & 0x7f));
            rest >>= 7;
        }
        destination[written++] = (byte)rest;
        return written;
    }

    /// <summary>Advances <paramref name="source"/> behind the value; false when it is cut off or larger than <see cref="MaxValue"/>.</summary>
    public static bool TryRead(ref ReadOnlySpan<byte> source, int prefixBits, out int value)
    {
        value = 0;
        if (source.IsEmpty)
            return false;
        int max = (1 << prefixBits) - 1;
        value = source[0] & max;
        if (value < max)
        {
            source = source[1..];
            return true;
        }
        long total = max;
        for (int i = 1, shift = 0; i < source.Length && shift <= 28; i++, shift += 7)
        {
            total += (long)(source[i] & 0x7f) << shift;
            if (total > MaxValue)
                return false;
            if ((source[i] & 0x80) == 0)
            {
                value = (int)total;
                source = source[(i + 1)..];
                return true;
            }
        }
        return false;
    }
}
