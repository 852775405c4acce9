using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.ControlPlane.Ca;

/// <summary>Makes workload certificates as Istio's authority does: one URI name, both uses (control-path 2.6, 7.3).</summary>
internal static class CertificateIssuing
{
    /// <summary>Clocks of nodes differ; istiod backdates by the same.</summary>
    public static readonly TimeSpan Backdating = TimeSpan.FromMinutes(2);

    private const string Subject = "O=cluster.local";
    private const string SubjectAlternativeNameOid = "2.5.29.17";
    private const string ServerAuthenticationOid = "1.3.6.1.5.5.7.3.1";
    private const string ClientAuthenticationOid = "1.3.6.1.5.5.7.3.2";
    private const int SerialBytes = 16;
    private static readonly Asn1Tag UriName = new(TagClass.ContextSpecific, 6);   // RFC 5280 4.2.1.6

    /// <summary>Signs a certificate for this key that is valid for <paramref name="lifetime"/> from now, but not longer than its issuer.</summary>
    public static X509Certificate2 Issue(X509Certificate2 issuer, ECDsa key, SpiffeId identity, DateTimeOffset now, TimeSpan lifetime)
    {
        CertificateRequest request = new(Subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerAuthenticationOid), new Oid(ClientAuthenticationOid)], critical: false));
        // Leaf and root have the same name: the key identifiers tell verifiers that the leaf did not sign itself.
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(issuer, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        request.CertificateExtensions.Add(CreateName(identity));

        DateTimeOffset notBefore = Later(now - Backdating, issuer.NotBefore);
        DateTimeOffset notAfter = Earlier(now + lifetime, issuer.NotAfter);
        byte[] serial = RandomNumberGenerator.GetBytes(SerialBytes);
        serial[0] &= 0x7f;   // RFC 5280 4.1.2.2: positive
        return request.Create(issuer, notBefore, notAfter, serial);
    }

    // Written by hand, since System.Uri would turn the trust domain into lower case.
    private static X509Extension CreateName(SpiffeId identity)
    {
        AsnWriter writer = new(AsnEncodingRules.DER);
        using (writer.PushSequence()) writer.WriteCharacterString(UniversalTagNumber.IA5String, identity.Text, UriName);
        return new X509Extension(SubjectAlternativeNameOid, writer.Encode(), critical: false);
    }

    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;

    private static DateTimeOffset Earlier(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;
}
