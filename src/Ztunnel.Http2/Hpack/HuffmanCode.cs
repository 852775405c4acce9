using System.Buffers.Binary;

namespace Ztunnel.Http2.Hpack;

/// <summary>
/// The static Huffman code of RFC 7541 appendix B. The code is canonical: codes of one length follow each other in symbol order, and each longer length goes on
/// where the shorter one stopped. The lengths therefore say everything, and the tables below are computed from them.
/// </summary>
internal static class HuffmanCode
{
    private const int EndOfString = 256;
    private const int MaxCodeBits = 30;

    // Nine bits cover all codes of up to 8 bits (letters, digits, most punctuation) and cost 1 KiB; longer codes take the slow road.
    private const int FastBits = 9;

    private static ReadOnlySpan<byte> CodeBits =>
    [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
        28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
        6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
        5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
        13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
        7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
        6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
        20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
        24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
        22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
        21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
        19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
        20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
        26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
        30,
    ];

    // One object, so that a method reads one static field and its loops none: static fields with a constructor are checked at each use.
    private static readonly Tables Lookup = new();

    public static int EncodedBytes(ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> codeBits = CodeBits;
        long bits = 0;
        foreach (byte symbol in text)
            bits += codeBits[symbol];
        return (int)((bits + 7) / 8);
    }

    /// <summary>Writes exactly <see cref="EncodedBytes"/> bytes; the last one is filled with ones (RFC 7541 5.2).</summary>
    public static int Encode(ReadOnlySpan<byte> text, Span<byte> destination)
    {
        uint[] codes = Lookup.Codes;
        ReadOnlySpan<byte> codeBits = CodeBits;
        ulong pending = 0;
        int pendingBits = 0;
        int written = 0;
        foreach (byte symbol in text)
        {
            int bits = codeBits[symbol];
            pending = (pending << bits) | codes[symbol];
            pendingBits += bits;
            if (pendingBits < 32)
                continue;
            pendingBits -= 32;
            BinaryPrimitives.WriteUInt32BigEndian(destination[written..], (uint)(pending >> pendingBits));
            written += 4;
        }
        while (pendingBits >= 8)
        {
            pendingBits -= 8;
            destination[written++] = (byte)(pending >> pendingBits);
        }
        if (pendingBits > 0)
            destination[written++] = (byte)((pending << (8 - pendingBits)) | (0xffu >> pendingBits));
        return written;
    }

    /// <summary>The longest text that so many encoded bytes can hold: the shortest code has five bits.</summary>
    public static int MaxDecodedBytes(int encodedBytes) => (int)((long)encodedBytes * 8 / 5);

    /// <summary>False for an EOS symbol, for padding of 8 bits or more and for padding that is not all ones (RFC 7541 5.2).</summary>
    public static bool TryDecode(ReadOnlySpan<byte> encoded, Span<byte> destination, out int written)
    {
        Tables tables = Lookup;
        ushort[] fast = tables.Fast;
        written = 0;
        ulong window = 0;        // the next bits, aligned to the left; behind windowBits it may hold the beginning of a byte that is read later
        int windowBits = 0;
        int read = 0;
        while (true)
        {
            if (encoded.Length - read >= sizeof(ulong))
            {
                window |= BinaryPrimitives.ReadUInt64BigEndian(encoded[read..]) >> windowBits;
                int bytes = (64 - windowBits) / 8;
                read += bytes;
                windowBits += bytes * 8;
            }
            while (windowBits <= 56 && read < encoded.Length)
            {
                window |= (ulong)encoded[read++] << (56 - windowBits);
                windowBits += 8;
            }
            if (windowBits == 0)
                return true;

            // While the longest code is there whole, no symbol needs to be checked against the end.
            do
            {
                int entry = fast[(int)(window >> (64 - FastBits))];
                int bits = entry & 0xff;
                int symbol = entry >> 8;
                if (entry == 0)
                    (symbol, bits) = tables.DecodeLong((uint)(window >> 32));

                // Fewer bits left than the code needs: only a beginning of EOS, seven ones at most, may stand here.
                if (bits > windowBits)
                    return windowBits < 8 && window >> (64 - windowBits) == (1UL << windowBits) - 1;
                if (symbol == EndOfString)
                    return false;
                destination[written++] = (byte)symbol;
                window <<= bits;
                windowBits -= bits;
            }
            while (windowBits >= MaxCodeBits);
        }
    }

    private sealed class Tables
    {
        public readonly uint[] Codes = new uint[EndOfString + 1];

        /// <summary>By the next nine bits: symbol in the high byte, code length in the low one; 0 when the code is longer.</summary>
        public readonly ushort[] Fast = new ushort[1 << FastBits];

        /// <summary>Symbols in code order: by length, then by value.</summary>
        private readonly ushort[] _symbolsInOrder = new ushort[EndOfString + 1];

        /// <summary>For each length: the first code that is longer, aligned to the left of 32 bits.</summary>
        private readonly ulong[] _firstLonger = new ulong[MaxCodeBits + 1];

        /// <summary>For each length: index into the ordered symbols minus the length's first code.</summary>
        private readonly int[] _orderOffset = new int[MaxCodeBits + 1];

        public Tables()
        {
            uint code = 0;
            int order = 0;
            for (int bits = 1; bits <= MaxCodeBits; bits++)
            {
                code <<= 1;
                _orderOffset[bits] = order - (int)code;
                for (int symbol = 0; symbol <= EndOfString; symbol++)
                {
                    if (CodeBits[symbol] != bits)
                        continue;
                    Codes[symbol] = code;
                    _symbolsInOrder[order++] = (ushort)symbol;
                    if (bits <= FastBits)
                        Fast.AsSpan((int)(code << (FastBits - bits)), 1 << (FastBits - bits)).Fill((ushort)((symbol << 8) | bits));
                    code++;
                }
                _firstLonger[bits] = (ulong)code << (32 - bits);
            }
        }

        public (int Symbol, int Bits) DecodeLong(uint window)
        {
            int bits = FastBits + 1;
            while (window >= _firstLonger[bits])
                bits++;
            return (_symbolsInOrder[_orderOffset[bits] + (int)(window >> (32 - bits))], bits);
        }
    }
}
