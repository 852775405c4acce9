using System.Buffers.Binary;

namespace Ztunnel.Endurance.Load;

/// <summary>Bytes that follow from a seed and their place alone: any piece can be checked without the ones before, and a lost, doubled, moved or foreign byte does not pass.</summary>
internal static class Pattern
{
    private const int WordBytes = sizeof(ulong);

    public static void Fill(ulong seed, long offset, Span<byte> bytes)
    {
        Span<byte> word = stackalloc byte[WordBytes];
        for (int at = 0; at < bytes.Length;)
        {
            int within = (int)((offset + at) % WordBytes);
            ulong value = Word(seed, (offset + at) / WordBytes);
            if (within == 0 && bytes.Length - at >= WordBytes)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(bytes[at..], value);
                at += WordBytes;
                continue;
            }

            BinaryPrimitives.WriteUInt64LittleEndian(word, value);
            int count = Math.Min(WordBytes - within, bytes.Length - at);
            word.Slice(within, count).CopyTo(bytes[at..]);
            at += count;
        }
    }

    public static bool Matches(ulong seed, long offset, ReadOnlySpan<byte> bytes)
    {
        Span<byte> expected = stackalloc byte[4096];
        for (int at = 0; at < bytes.Length; at += expected.Length)
        {
            ReadOnlySpan<byte> piece = bytes[at..Math.Min(bytes.Length, at + expected.Length)];
            Fill(seed, offset + at, expected[..piece.Length]);
            if (!piece.SequenceEqual(expected[..piece.Length]))
                return false;
        }

        return true;
    }

    // SplitMix64's finaliser over a counter.
    private static ulong Word(ulong seed, long index)
    {
        ulong value = seed + ((ulong)index * 0x9E3779B97F4A7C15);
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
