using System.Collections.Immutable;
using System.Globalization;
using Ztunnel.Mesh.Identity;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Interop;

namespace Ztunnel.Tls.Handshake;

/// <summary>Judges a peer by its SPIFFE identities once its chain is known to be good (control-path 7.8), and words what is wrong with a chain that is not.</summary>
internal static class PeerVerifier
{
    private const int MaxListed = 16;

    /// <summary>A server accepts clients of its own trust domain; a server whose certificate has no identity accepts any.</summary>
    internal static TlsFailure? JudgeClient(SpiffeId? own, PeerIdentity client)
    {
        if (own is null) return null;
        foreach (SpiffeId identity in client.Identities)
        {
            if (identity.TrustDomain == own.TrustDomain) return null;
        }

        return new TlsFailure(
            TlsFailureReason.TrustDomainMismatch,
            $"identity verification error: peer did not present the expected trustdomain ({own.TrustDomain}), got {List(client.Identities)}");
    }

    /// <summary>A client accepts exactly the identities that routing expects at that address; an empty list accepts nobody.</summary>
    internal static TlsFailure? JudgeServer(ImmutableArray<SpiffeId> expected, PeerIdentity server)
    {
        foreach (SpiffeId identity in server.Identities)
        {
            if (expected.Contains(identity)) return null;
        }

        string text = $"identity verification error: peer did not present the expected SAN ({List(expected)}), got {List(server.Identities)}";
        return new TlsFailure(TlsFailureReason.IdentityMismatch, $"invalid peer certificate: Other(OtherError({text}))");
    }

    /// <summary>Words a chain that does not verify, in the terms operators know from data-path 2.9.</summary>
    internal static TlsFailure DescribeChainError(int error, DateTimeOffset now, DateTimeOffset notBefore, DateTimeOffset notAfter, string libraryText)
    {
        switch (error)
        {
            case LibCrypto.X509_V_ERR_CERT_HAS_EXPIRED:
                string late = string.Create(
                    CultureInfo.InvariantCulture,
                    $"certificate expired: verification time {now.ToUnixTimeSeconds()} (UNIX), but certificate is not valid after {notAfter.ToUnixTimeSeconds()} ({(long)(now - notAfter).TotalSeconds} seconds ago)");
                return new TlsFailure(TlsFailureReason.CertificateExpired, $"invalid peer certificate: {late}");
            case LibCrypto.X509_V_ERR_CERT_NOT_YET_VALID:
                string early = string.Create(
                    CultureInfo.InvariantCulture,
                    $"certificate not valid yet: verification time {now.ToUnixTimeSeconds()} (UNIX), but certificate is not valid before {notBefore.ToUnixTimeSeconds()} ({(long)(notBefore - now).TotalSeconds} seconds in future)");
                return new TlsFailure(TlsFailureReason.CertificateNotYetValid, $"invalid peer certificate: {early}");
            case LibCrypto.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
            case LibCrypto.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
            case LibCrypto.X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            case LibCrypto.X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            case LibCrypto.X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            case LibCrypto.X509_V_ERR_CERT_CHAIN_TOO_LONG:
                return new TlsFailure(TlsFailureReason.CertificateUnknownIssuer, "invalid peer certificate: UnknownIssuer");
            case LibCrypto.X509_V_ERR_CERT_SIGNATURE_FAILURE:
                return new TlsFailure(TlsFailureReason.CertificateBadSignature, "invalid peer certificate: BadSignature");
            case LibCrypto.X509_V_ERR_INVALID_PURPOSE:
                return new TlsFailure(TlsFailureReason.CertificatePurpose, "invalid peer certificate: certificate does not allow extended key usage for this role");
            case LibCrypto.X509_V_ERR_CERT_REVOKED:
                return new TlsFailure(TlsFailureReason.CertificateRevoked, "invalid peer certificate: Revoked");
            default:
                return new TlsFailure(TlsFailureReason.CertificateInvalid, $"invalid peer certificate: {libraryText}");
        }
    }

    /// <summary>A certificate has room for two thousand names, and each refusal is a log line and an entry of the failure journal.</summary>
    private static string List(ImmutableArray<SpiffeId> identities) => identities.Length <= MaxListed
        ? string.Join(", ", identities)
        : string.Create(CultureInfo.InvariantCulture, $"{string.Join(", ", identities[..MaxListed])} and {identities.Length - MaxListed} more");
}
