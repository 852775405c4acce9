namespace Ztunnel.Tls.Handshake;

/// <summary>Why a handshake or a session ended badly. Stable: the names appear in logs, metrics and dumps.</summary>
public enum TlsFailureReason
{
    /// <summary>The first bytes are no TLS record.</summary>
    NotTls,

    /// <summary>No common protocol version: the peer has no TLS 1.3.</summary>
    ProtocolVersion,

    /// <summary>No common cipher suite.</summary>
    NoCommonCipherSuite,

    /// <summary>No common key-exchange group.</summary>
    NoCommonGroup,

    /// <summary>The peer offers application protocols, but not h2.</summary>
    NoApplicationProtocol,

    /// <summary>The client sent no certificate.</summary>
    CertificateMissing,

    /// <summary>The chain does not lead to a root of our bundle.</summary>
    CertificateUnknownIssuer,

    CertificateExpired,

    CertificateNotYetValid,

    /// <summary>A signature in the chain is wrong.</summary>
    CertificateBadSignature,

    /// <summary>Key usage or extended key usage does not allow this role.</summary>
    CertificatePurpose,

    CertificateRevoked,

    /// <summary>Anything else that is wrong with a chain; the text says what.</summary>
    CertificateInvalid,

    /// <summary>The client's certificate has no SPIFFE identity of our trust domain.</summary>
    TrustDomainMismatch,

    /// <summary>The server's certificate has none of the identities we expect there.</summary>
    IdentityMismatch,

    /// <summary>The peer gave up with an alert; <see cref="TlsFailure.ReceivedAlert"/> has it.</summary>
    AlertReceived,

    /// <summary>A record or a message that the protocol does not allow here.</summary>
    ProtocolViolation,

    /// <summary>A record that does not authenticate.</summary>
    BadRecord,

    /// <summary>A record, or the handshake as a whole, is larger than allowed.</summary>
    TooLarge,

    /// <summary>More records without data than an honest peer sends.</summary>
    Flood,

    /// <summary>Nothing the peer did: memory, a bug, the library.</summary>
    Internal,
}

/// <summary>One failed handshake or session: a stable reason and a text for people.</summary>
/// <param name="Reason">What kind of failure.</param>
/// <param name="Message">Text for the log, in the words of data-path 2.9 and 3.1 where they prescribe one.</param>
/// <param name="ReceivedAlert">The peer's alert, when that is what ended it.</param>
public sealed record TlsFailure(TlsFailureReason Reason, string Message, TlsAlert? ReceivedAlert = null);
