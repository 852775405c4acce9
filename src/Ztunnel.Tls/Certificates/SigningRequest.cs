using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Ztunnel.Mesh.Identity;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Tls.Certificates;

/// <summary>
/// A fresh key and the request that has it certified (control-path 7.2): P-256, ECDSA-SHA256, empty subject, one critical URI name. The key stays in here until the authority's answer
/// turns it into a <see cref="WorkloadCertificate"/>; it is never written anywhere.
/// </summary>
public sealed class SigningRequest : IDisposable
{
    private readonly ECDsa _key;

    private SigningRequest(SpiffeId identity, ECDsa key, byte[] der)
    {
        Identity = identity;
        _key = key;
        Der = der;
    }

    public SpiffeId Identity { get; }

    public ReadOnlyMemory<byte> Der { get; }

    /// <summary>The request as authorities take it.</summary>
    public string Pem => PemEncoding.WriteString("CERTIFICATE REQUEST", Der.Span);

    public static SigningRequest Create(SpiffeId identity)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(new X500DistinguishedName(EmptyName()), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509Extension("2.5.29.17", UriNames.Write(identity.ToString()), critical: true));
        return new SigningRequest(identity, key, request.CreateSigningRequest());
    }

    /// <summary>Joins the authority's answer, a list of PEM texts, with the key.</summary>
    /// <param name="chain">Leaf first, root bundle last, intermediates between (control-path 7.3).</param>
    /// <param name="leafIdentity">Whether the leaf must carry the identity asked for.</param>
    /// <param name="settings">What all contexts of the process share.</param>
    /// <exception cref="CertificateChainException">The answer is not usable; the message says why.</exception>
    /// <exception cref="Interop.OpenSslException">The leaf is not for this key, or not usable for TLS.</exception>
    public WorkloadCertificate Complete(IReadOnlyList<string> chain, LeafIdentityCheck leafIdentity, TlsSettings settings)
    {
        IssuedChain issued = IssuedChain.Parse(Identity, chain, leafIdentity);
        byte[] privateKey = _key.ExportPkcs8PrivateKey();
        try
        {
            return WorkloadCertificate.Create(Identity, issued.Leaf, issued.Intermediates, issued.Roots, privateKey, settings);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(privateKey);
        }
    }

    public void Dispose() => _key.Dispose();

    private static byte[] EmptyName()
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        writer.PushSequence();
        writer.PopSequence();
        return writer.Encode();
    }
}
