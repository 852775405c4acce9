namespace Ztunnel.Tls.Handshake;

/// <summary>Alert descriptions (RFC 8446 6) by their number on the wire.</summary>
public enum TlsAlert : byte
{
    CloseNotify = 0,
    UnexpectedMessage = 10,
    BadRecordMac = 20,
    RecordOverflow = 22,
    HandshakeFailure = 40,
    BadCertificate = 42,
    UnsupportedCertificate = 43,
    CertificateRevoked = 44,
    CertificateExpired = 45,
    CertificateUnknown = 46,
    IllegalParameter = 47,
    UnknownCa = 48,
    AccessDenied = 49,
    DecodeError = 50,
    DecryptError = 51,
    ProtocolVersion = 70,
    InsufficientSecurity = 71,
    InternalError = 80,
    InappropriateFallback = 86,
    UserCanceled = 90,
    MissingExtension = 109,
    UnsupportedExtension = 110,
    UnrecognizedName = 112,
    UnknownPskIdentity = 115,
    CertificateRequired = 116,
    NoApplicationProtocol = 120,
}

/// <summary>Names of alerts as the RFC writes them, for texts that operators read.</summary>
public static class TlsAlertNames
{
    public static string Name(this TlsAlert alert) => alert switch
    {
        TlsAlert.CloseNotify => "close_notify",
        TlsAlert.UnexpectedMessage => "unexpected_message",
        TlsAlert.BadRecordMac => "bad_record_mac",
        TlsAlert.RecordOverflow => "record_overflow",
        TlsAlert.HandshakeFailure => "handshake_failure",
        TlsAlert.BadCertificate => "bad_certificate",
        TlsAlert.UnsupportedCertificate => "unsupported_certificate",
        TlsAlert.CertificateRevoked => "certificate_revoked",
        TlsAlert.CertificateExpired => "certificate_expired",
        TlsAlert.CertificateUnknown => "certificate_unknown",
        TlsAlert.IllegalParameter => "illegal_parameter",
        TlsAlert.UnknownCa => "unknown_ca",
        TlsAlert.AccessDenied => "access_denied",
        TlsAlert.DecodeError => "decode_error",
        TlsAlert.DecryptError => "decrypt_error",
        TlsAlert.ProtocolVersion => "protocol_version",
        TlsAlert.InsufficientSecurity => "insufficient_security",
        TlsAlert.InternalError => "internal_error",
        TlsAlert.InappropriateFallback => "inappropriate_fallback",
        TlsAlert.UserCanceled => "user_canceled",
        TlsAlert.MissingExtension => "missing_extension",
        TlsAlert.UnsupportedExtension => "unsupported_extension",
        TlsAlert.UnrecognizedName => "unrecognized_name",
        TlsAlert.UnknownPskIdentity => "unknown_psk_identity",
        TlsAlert.CertificateRequired => "certificate_required",
        TlsAlert.NoApplicationProtocol => "no_application_protocol",
        _ => $"alert {(byte)alert}",
    };
}
