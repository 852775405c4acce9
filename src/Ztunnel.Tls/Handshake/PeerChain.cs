using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography.X509Certificates;
using Ztunnel.Mesh.Identity;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Interop;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.Tls.Handshake;

/// <summary>Reads from an X509_STORE_CTX what a verification found: the path, the leaf's names, or the error.</summary>
internal static unsafe class PeerChain
{
    /// <summary>What a verification that succeeded settled on.</summary>
    /// <param name="expected">Identities that others hold already: the leaf's own is one of them where it is equal.</param>
    internal static VerifiedLeaf ReadVerified(nint storeContext, WorkloadCertificate own, ImmutableArray<SpiffeId> expected)
    {
        ImmutableArray<ReadOnlyMemory<byte>> path = ReadPath(storeContext, own);
        (DateTimeOffset begins, DateTimeOffset ends) = (DateTimeOffset.MinValue, DateTimeOffset.MaxValue);
        foreach (ReadOnlyMemory<byte> certificate in path)
        {
            // A validity that only the library can read is good for this once.
            if (!CertificateHead.TryRead(certificate.Span, out CertificateHead head) || !head.TryReadValidity(out DateTimeOffset notBefore, out DateTimeOffset notAfter))
                notBefore = notAfter = DateTimeOffset.MinValue;
            if (notBefore > begins) begins = notBefore;
            if (notAfter < ends) ends = notAfter;
        }

        ImmutableArray<SpiffeId> identities = [.. UriNames.Identities(ReadUriNames(storeContext)).Select(identity => expected.FirstOrDefault(identity.Equals, identity))];
        return new VerifiedLeaf(begins, ends, identities, own.Settings.Revocations is null ? [] : path);
    }

    /// <summary>The URI names of the leaf.</summary>
    private static ImmutableArray<string> ReadUriNames(nint storeContext)
    {
        nint leaf = LibCrypto.X509_STORE_CTX_get0_cert(storeContext);
        int index = LibCrypto.X509_get_ext_by_NID(leaf, LibCrypto.NID_subject_alt_name, -1);
        if (index < 0) return [];

        nint value = LibCrypto.X509_EXTENSION_get_data(LibCrypto.X509_get_ext(leaf, index));
        return UriNames.Read(new ReadOnlySpan<byte>(LibCrypto.ASN1_STRING_get0_data(value), LibCrypto.ASN1_STRING_length(value)));
    }

    /// <summary>The path from leaf to anchor. What is also in our own chain or bundle is not kept twice: a peer should cost its leaf only.</summary>
    private static ImmutableArray<ReadOnlyMemory<byte>> ReadPath(nint storeContext, WorkloadCertificate own)
    {
        nint chain = LibCrypto.X509_STORE_CTX_get0_chain(storeContext);
        int count = LibCrypto.OPENSSL_sk_num(chain);
        var path = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>(count);
        for (int i = 0; i < count; i++) path.Add(Share(NativeCertificates.Encode(LibCrypto.OPENSSL_sk_value(chain, i)), own));
        return path.MoveToImmutable();
    }

    /// <summary>Whether the certificate that the verification stands at is valid from a moment before this one on.</summary>
    internal static bool BeginsBefore(nint storeContext, DateTimeOffset moment)
    {
        nint seconds = (nint)moment.ToUnixTimeSeconds();
        return LibCrypto.X509_cmp_time(LibCrypto.X509_get0_notBefore(LibCrypto.X509_STORE_CTX_get_current_cert(storeContext)), &seconds) < 0;
    }

    /// <summary>Words a verification that failed.</summary>
    internal static TlsFailure DescribeError(nint storeContext, DateTimeOffset now)
    {
        int error = LibCrypto.X509_STORE_CTX_get_error(storeContext);
        string text = Marshal.PtrToStringUTF8((nint)LibCrypto.X509_verify_cert_error_string(error)) ?? $"error {error}";
        DateTimeOffset notBefore = default;
        DateTimeOffset notAfter = default;
        if (error is LibCrypto.X509_V_ERR_CERT_HAS_EXPIRED or LibCrypto.X509_V_ERR_CERT_NOT_YET_VALID && LibCrypto.X509_STORE_CTX_get_current_cert(storeContext) is var current and not 0)
        {
            using X509Certificate2 certificate = X509CertificateLoader.LoadCertificate(NativeCertificates.Encode(current));
            notBefore = certificate.NotBefore;
            notAfter = certificate.NotAfter;
        }

        return PeerVerifier.DescribeChainError(error, now, notBefore, notAfter, text);
    }

    private static ReadOnlyMemory<byte> Share(byte[] certificate, WorkloadCertificate own)
    {
        foreach (ReadOnlyMemory<byte> known in own.Roots)
        {
            if (known.Span.SequenceEqual(certificate)) return known;
        }

        foreach (ReadOnlyMemory<byte> known in own.Intermediates)
        {
            if (known.Span.SequenceEqual(certificate)) return known;
        }

        return certificate;
    }
}
