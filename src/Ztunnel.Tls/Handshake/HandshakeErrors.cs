using Ztunnel.Tls.Interop;

namespace Ztunnel.Tls.Handshake;

/// <summary>Sorts libssl's reason numbers (sslerr.h) into our stable reasons. A number it does not know is still a failure with the library's text.</summary>
internal static class HandshakeErrors
{
    // Reasons from here on are alerts of the peer: 1000 + description.
    private const int AlertReasonOffset = 1000;

    internal static TlsFailure Describe(OpenSslError error)
    {
        if (!error.IsSsl) return new TlsFailure(TlsFailureReason.Internal, error.Text);
        if (error.Reason is >= AlertReasonOffset and < AlertReasonOffset + 256)
        {
            var alert = (TlsAlert)(error.Reason - AlertReasonOffset);
            return new TlsFailure(TlsFailureReason.AlertReceived, $"received fatal alert: {alert.Name()}", alert);
        }

        return new TlsFailure(Reason(error.Reason), error.Text);
    }

    private static TlsFailureReason Reason(int reason) => reason switch
    {
        // UNSUPPORTED_PROTOCOL, WRONG_VERSION_NUMBER, NO_PROTOCOLS_AVAILABLE, VERSION_TOO_LOW
        258 or 267 or 191 or 396 => TlsFailureReason.ProtocolVersion,
        // NO_SHARED_CIPHER, WRONG_CIPHER_RETURNED, UNKNOWN_CIPHER_RETURNED
        193 or 261 or 248 => TlsFailureReason.NoCommonCipherSuite,
        // NO_SUITABLE_KEY_SHARE, NO_SHARED_GROUPS, NO_SUITABLE_GROUPS
        101 or 410 or 295 => TlsFailureReason.NoCommonGroup,
        // NO_APPLICATION_PROTOCOL
        235 => TlsFailureReason.NoApplicationProtocol,
        // PEER_DID_NOT_RETURN_A_CERTIFICATE
        199 => TlsFailureReason.CertificateMissing,
        // CERTIFICATE_VERIFY_FAILED, only when the callback could not say more
        134 => TlsFailureReason.CertificateInvalid,
        // DECRYPTION_FAILED, DECRYPTION_FAILED_OR_BAD_RECORD_MAC
        147 or 281 => TlsFailureReason.BadRecord,
        // PACKET_LENGTH_TOO_LONG, ENCRYPTED_LENGTH_TOO_LONG, DATA_LENGTH_TOO_LONG, EXCESSIVE_MESSAGE_SIZE
        198 or 150 or 146 or 152 => TlsFailureReason.TooLarge,
        _ => TlsFailureReason.ProtocolViolation,
    };
}
