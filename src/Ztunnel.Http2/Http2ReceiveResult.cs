namespace Ztunnel.Http2;

/// <summary>
/// What <see cref="Http2Connection.Receive"/> leaves behind: go on, or write what <see cref="Http2Connection.WriteControl"/> still has
/// (the GOAWAY that says why) and close the transport.
/// </summary>
public readonly record struct Http2ReceiveResult(bool IsClosed, Http2ErrorCode Code, string? Text);
