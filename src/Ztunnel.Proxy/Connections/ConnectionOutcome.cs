using Ztunnel.Linux.Sockets;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Connections;

/// <summary>How a connection ended. The first cause is kept; later symptoms never overwrite it.</summary>
/// <param name="Reason">The stable reason.</param>
/// <param name="Error">The text of the log field <c>error</c> (data-path, appendix B); null for an ordinary end.</param>
public readonly record struct ConnectionOutcome(EndReason Reason, string? Error)
{
    public static ConnectionOutcome Completed { get; } = new(EndReason.Completed, null);

    public static ConnectionOutcome Drained { get; } = new(EndReason.Drained, "connection closed due to connection drain");

    public static ConnectionOutcome PolicyChanged { get; } = new(EndReason.PolicyChanged, "connection closed due to policy change");

    public static ConnectionOutcome Revoked { get; } = new(EndReason.CertificateRevoked, "connection closed: peer certificate revoked by CRL");

    public static ConnectionOutcome MemoryShort { get; } = new(EndReason.MemoryShort, "connection refused: the proxy is short of memory");

    /// <summary>How the way to the peer looked to the kernel when a tunnel failed; null where nobody asked.</summary>
    public TcpInfo? Way { get; init; }

    public bool IsSuccess => Error is null;

    public ResponseFlag ResponseFlag => EndReasons.Describe(Reason).ResponseFlag;

    public string Code => EndReasons.Describe(Reason).Code;
}
