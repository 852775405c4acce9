namespace Ztunnel.Mesh.Routing;

/// <summary>
/// A peer's own words in texts that operators read. A header value may have 64 KiB and cost its sender one byte; the failure journal keeps 256 texts, and each is a log line, too.
/// </summary>
public static class PeerText
{
    private const int MaxCharacters = 256;

    public static string? Cut(string? text) => text is { Length: > MaxCharacters } ? $"{text.AsSpan(0, MaxCharacters)}... ({text.Length} characters)" : text;
}
