namespace Ztunnel.Http2;

/// <summary>
/// The final answer to a CONNECT; 1xx answers were skipped. After any status but 200 the connection resets the stream with CANCEL by itself (data-path 2.5),
/// so the stream is closed when the event returns.
/// </summary>
public readonly record struct Http2Response(int Status, string? Baggage, bool EndStream);
