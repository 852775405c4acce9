using System.Buffers;

namespace Ztunnel.Mesh.Propagation;

/// <summary>What a header value may consist of before its meaning is looked at.</summary>
internal static class VisibleAscii
{
    private static readonly SearchValues<char> Characters = SearchValues.Create([.. Enumerable.Range(' ', 0x7F - ' ').Select(static code => (char)code), '\t']);

    public static bool Is(ReadOnlySpan<char> value) => !value.ContainsAnyExcept(Characters);
}
