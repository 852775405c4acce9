namespace Ztunnel.Http2;

/// <summary>
/// A well-formed request as the tunnel needs it. The method may be another than CONNECT (with :scheme and :path, so well formed): answering 400 to that,
/// and judging the authority, is the owner's part (data-path 3.2).
/// </summary>
public readonly record struct Http2Request
{
    public required string Method { get; init; }

    /// <summary>As received; empty when the pseudo header was absent.</summary>
    public required string Authority { get; init; }

    /// <summary>All lines joined with a comma; null when absent or when a line holds other than visible ASCII.</summary>
    public string? Baggage { get; init; }

    /// <summary>The first line, when it is visible ASCII.</summary>
    public string? Forwarded { get; init; }

    /// <summary>The first line, when it is visible ASCII.</summary>
    public string? TraceParent { get; init; }

    /// <summary>The first `x-forwarded-network` line, when it is visible ASCII.</summary>
    public string? ForwardedNetwork { get; init; }

    /// <summary>The request ended with its header section: <see cref="IHttp2Events.OnEndOfStream"/> follows at once.</summary>
    public bool EndStream { get; init; }
}
