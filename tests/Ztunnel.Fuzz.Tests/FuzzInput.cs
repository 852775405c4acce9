using System.Buffers.Binary;
using System.Text;
using Ztunnel.Mesh.Routing;

namespace Ztunnel.Fuzz.Tests;

/// <summary>One case's source of choices: values that break parsers more often than chance would, and ways to damage what is well-formed.</summary>
internal sealed class FuzzInput(int seed) : IRandom
{
    private static readonly int[] Edges = [0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 63, 64, 100, 127, 128, 129, 255, 256, 1023, 1024, 16383, 16384, 16385, 65535, 65536, 65616, int.MaxValue, -1, int.MinValue];

    // Empty, long, beyond ASCII, control characters, half a surrogate pair, and what means something to one of our formats.
    private static readonly string[] Texts =
    [
        "", " ", "a", "A", "0", "-1", "00", "65536", "4294967296", "true", "null", "~", "!!str", "*", "&a", "{}", "[]", "|", ">", ":", "-", ",", ";", "=", "\"", "\"\"", "'", "%", "%00", "@", "/", "//", "..",
        "\t", "\r\n", "\0", "\u0001", "\u007f", "\u00e9", "\u2028", "\ufeff", "\ud800", "\U0001F600", "host=", "for=", "k8s.pod.name=", "10.0.0.1", "10.0.0.1/33", "::1", "[::1]:80", "::ffff:10.0.0.1", "1.2.3", "fe80::1%eth0",
        "spiffe://", "spiffe://td/ns/a/sa/b", "cluster.local", "default", "Kubernetes//Pod/default/a", "default/echo.default.svc.cluster.local", "net1/10.0.0.1",
    ];

    private readonly Random _random = new(seed);

    /// <summary>What was damaged last, to be shown with a failure.</summary>
    public string Damaged { get; private set; } = "";

    /// <summary>From 0 to one less than <paramref name="bound"/>.</summary>
    public int Below(int bound) => _random.Next(bound);

    /// <summary>The same for the product's own choices.</summary>
    public ulong Next(ulong bound) => bound <= long.MaxValue ? (ulong)_random.NextInt64((long)bound) : (ulong)_random.NextInt64();

    /// <summary>True once in so many times.</summary>
    public bool OneIn(int times) => _random.Next(times) == 0;

    public T Pick<T>(IReadOnlyList<T> values) => values[_random.Next(values.Count)];

    public int Number() => OneIn(3) ? Pick(Edges) : OneIn(2) ? _random.Next(-10, 300) : _random.Next(int.MinValue, int.MaxValue);

    public byte[] Bytes(int longest)
    {
        byte[] bytes = new byte[_random.Next(longest + 1)];
        _random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>Some text: of our formats, at random, or long.</summary>
    public string Text()
    {
        switch (Below(6))
        {
            case 0: return new string((char)Below(128), Pick([40, 300, 5000]));
            case 1: return Encoding.Latin1.GetString(Bytes(40));
            case 2: return string.Concat(Enumerable.Range(0, 1 + Below(6)).Select(_ => Pick(Texts)));
            default: return Pick(Texts);
        }
    }

    /// <summary>Text of visible ASCII characters and blanks, as header values are.</summary>
    public string Visible(int longest) => string.Create(_random.Next(longest + 1), _random, static (text, random) =>
    {
        foreach (ref char letter in text)
            letter = (char)random.Next(0x20, 0x7F);
    });

    /// <summary>The same bytes with some damage: flips, edges in place of numbers, pieces cut, doubled or moved, an end too early.</summary>
    public byte[] Damage(ReadOnlySpan<byte> sound)
    {
        List<byte> bytes = [.. sound];
        for (int left = 1 + Below(4); left > 0; left--)
        {
            int at = Below(bytes.Count + 1);
            int count = Math.Min(Below(OneIn(4) ? 200 : 8), bytes.Count - at);
            switch (Below(8))
            {
                case 0 when at < bytes.Count: bytes[at] ^= (byte)(1 << Below(8)); break;
                case 1 when at < bytes.Count: bytes[at] = (byte)Pick(Edges); break;
                case 2: bytes.RemoveRange(at, count); break;
                case 3: bytes.InsertRange(at, bytes.GetRange(at, count)); break;
                case 4: bytes.InsertRange(Below(bytes.Count + 1), bytes.GetRange(at, count)); break;
                case 5: bytes.InsertRange(at, Bytes(16)); break;
                case 6 when OneIn(3): bytes.RemoveRange(at, bytes.Count - at); break;
                default: PutNumber(bytes, at); break;
            }
        }

        Damaged = Convert.ToHexString([.. bytes]);
        return [.. bytes];
    }

    /// <summary>The same text with some damage: characters, lines and indents of our formats in wrong places.</summary>
    public string Damage(string sound)
    {
        List<string> lines = [.. sound.Split('\n')];
        for (int left = 1 + Below(3); left > 0; left--)
        {
            int at = Below(lines.Count);
            string line = lines[at];
            switch (Below(7))
            {
                case 0: lines.RemoveAt(at); break;
                case 1: lines.Insert(Below(lines.Count), line); break;
                case 2: lines[at] = new string(' ', Below(12)) + line.TrimStart(' '); break;
                case 3 when line.IndexOf(':', StringComparison.Ordinal) is var colon and >= 0: lines[at] = string.Concat(line.AsSpan(0, colon + 1), " ", Text()); break;
                case 4: lines[at] = line.Insert(Below(line.Length + 1), Text()); break;
                case 5 when line.Length > 0: lines[at] = line.Remove(Below(line.Length), 1); break;
                default: lines[at] = line.Replace(Pick(["-", ":", "\"", " "]), Pick(Texts), StringComparison.Ordinal); break;
            }

            if (lines.Count == 0)
                lines.Add("");
        }

        return Damaged = string.Join('\n', lines);
    }

    /// <summary>Cuts a stream as a socket may.</summary>
    public IEnumerable<Range> Pieces(int length)
    {
        int largest = Pick([1, 3, 10, 100, 10_000]);
        for (int at = 0; at < length;)
        {
            int next = Math.Min(length, at + 1 + Below(largest));
            yield return at..next;
            at = next;
        }
    }

    private void PutNumber(List<byte> bytes, int at)
    {
        byte[] number = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, Number());
        int width = 1 + Below(4);
        for (int i = 0; i < width && at + i < bytes.Count; i++)
            bytes[at + i] = number[4 - width + i];
    }
}
