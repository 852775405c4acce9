namespace Ztunnel.Http2;

/// <summary>
/// The fields of a CONNECT that a client sends, in wire order (data-path 2.8). Spans, so that a caller may format `forwarded` and
/// `traceparent`, which differ on every request, on its stack.
/// </summary>
public readonly ref struct ConnectRequest
{
    /// <summary>`a.b.c.d:port`, `[v6]:port` or `hostname:port`.</summary>
    public required ReadOnlySpan<char> Authority { get; init; }

    /// <summary>Sent even when empty, as peers of an all-empty workload expect it.</summary>
    public required ReadOnlySpan<char> Baggage { get; init; }

    public required ReadOnlySpan<char> Forwarded { get; init; }

    public required ReadOnlySpan<char> TraceParent { get; init; }

    /// <summary>`x-forwarded-network`: only the inner request of double HBONE carries it; null leaves it out.</summary>
    public string? ForwardedNetwork { get; init; }
}
