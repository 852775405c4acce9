using System.Globalization;
using System.Text;
using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Process;

/// <summary>
/// Gives back the pages of program text that only the start needed. Code is mapped in pieces of 64 KiB around every address that ever ran, so after a start nearly all of a binary is resident;
/// what is needed again comes back from the page cache without reading the disk.
/// </summary>
public static unsafe class ProgramPages
{
    // Never unloaded, so their addresses cannot have been taken over by something else between the look and the release.
    private static readonly string[] Libraries = ["/libcrypto.so", "/libssl.so", "/libc.so", "/libm.so"];

    // A path has at most 4,096 bytes.
    private const int LongestLine = 8192;

    /// <summary>
    /// Releases all clean pages of our own program and its large libraries. The result is how much that was: nothing where it cannot be looked at, as with no descriptor left to look with.
    /// </summary>
    /// <param name="maps">The process's own, or its like in a test.</param>
    public static long Release(string maps = "/proc/self/smaps")
    {
        long released = 0;
        try
        {
            foreach (Mapping mapping in Read(RelevantLines(maps)))
            {
                // Pages that were written (relocations) exist nowhere else.
                if (mapping.ResidentBytes == 0 || mapping.AnonymousBytes > 0 || mapping.IsWritable || !IsProgram(mapping.Path))
                    continue;
                Libc.Discard((byte*)mapping.Start, (nuint)(mapping.End - mapping.Start));
                released += mapping.ResidentBytes;
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // Called by a timer, whose exceptions end the process: smaller memory is not worth that, and the next rest comes.
            return released;
        }

        return released;
    }

    private static bool IsProgram(string path) => path == Environment.ProcessPath || Libraries.Any(name => path.Contains(name, StringComparison.Ordinal));

    /// <summary>
    /// <code>
    /// 55d0c8a00000-55d0c9250000 r-xp 0011b000 fe:01 1234   /usr/local/bin/ztunnel
    /// Rss:                8516 kB
    /// Anonymous:             0 kB
    /// </code>
    /// </summary>
    internal static IEnumerable<Mapping> Read(IEnumerable<string> lines)
    {
        Mapping? current = null;
        foreach (string line in lines)
        {
            if (char.IsAsciiHexDigitLower(line[0]))
            {
                if (current is not null)
                    yield return current;
                string[] fields = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                string[] range = fields[0].Split('-');
                current = new Mapping(Address(range[0]), Address(range[1]), fields[1].Contains('w', StringComparison.Ordinal), fields.Length > 5 ? fields[5] : "", 0, 0);
            }
            else if (line.StartsWith("Rss:", StringComparison.Ordinal))
            {
                current = current! with { ResidentBytes = Kilobytes(line) };
            }
            else if (line.StartsWith("Anonymous:", StringComparison.Ordinal))
            {
                current = current! with { AnonymousBytes = Kilobytes(line) };
            }
        }

        if (current is not null)
            yield return current;
    }

    /// <summary>Of a mapping's 25 lines three matter. The others are not made strings of: nearly a MiB, each time, of what this is to keep small.</summary>
    private static IEnumerable<string> RelevantLines(string path)
    {
        using var file = new StreamReader(path, Encoding.UTF8);
        char[] line = new char[LongestLine];
        int length = 0;
        for (int next = file.Read(); next >= 0; next = file.Read())
        {
            if (next != '\n')
            {
                line[length] = (char)next;
                length = Math.Min(length + 1, LongestLine - 1);
                continue;
            }

            if (IsRelevant(line.AsSpan(0, length)))
                yield return new string(line, 0, length);
            length = 0;
        }
    }

    private static bool IsRelevant(ReadOnlySpan<char> line) =>
        char.IsAsciiHexDigitLower(line[0]) || line.StartsWith("Rss:", StringComparison.Ordinal) || line.StartsWith("Anonymous:", StringComparison.Ordinal);

    private static nint Address(string text) => nint.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static long Kilobytes(string line) => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;

    /// <summary>One mapping of the process.</summary>
    internal sealed record Mapping(nint Start, nint End, bool IsWritable, string Path, long ResidentBytes, long AnonymousBytes);
}
