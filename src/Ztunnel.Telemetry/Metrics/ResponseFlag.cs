namespace Ztunnel.Telemetry.Metrics;

/// <summary>How a connection ended, in the words of the <c>response_flags</c> label (data-path 8.5).</summary>
public enum ResponseFlag
{
    /// <summary><c>-</c>: success, or dropped by a drain.</summary>
    None,

    /// <summary><c>DENY</c>: a policy, at the beginning or later.</summary>
    Deny,

    /// <summary><c>CONNECT</c>: the upstream could not be reached, or any failure not listed here.</summary>
    Connect,

    /// <summary><c>TLS_FAILURE</c>.</summary>
    TlsFailure,

    /// <summary><c>H2_HANDSHAKE_FAILURE</c>: HTTP/2 failed before the CONNECT was answered.</summary>
    H2HandshakeFailure,

    /// <summary><c>NETWORK_POLICY</c>: connecting to a tunnel peer timed out, as it does when packets are dropped.</summary>
    NetworkPolicy,

    /// <summary><c>IDENTITY_ERROR</c>: our own certificate could not be had.</summary>
    IdentityError,

    /// <summary><c>CERT_REVOKED</c>.</summary>
    CertRevoked,
}

/// <summary>The words of <see cref="ResponseFlag"/>.</summary>
public static class ResponseFlagText
{
    internal const int Count = 8;

    private static readonly string[] Words =
        ["-", "DENY", "CONNECT", "TLS_FAILURE", "H2_HANDSHAKE_FAILURE", "NETWORK_POLICY", "IDENTITY_ERROR", "CERT_REVOKED"];

    public static string Word(ResponseFlag flag) => Words[(int)flag];
}
