using System.Collections.Immutable;
using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Ztunnel.Mesh.Identity;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Testing;

/// <summary>What a leaf of a test looks like. The defaults are those of a mesh's authority.</summary>
public sealed record LeafOptions
{
    public const string ServerAuth = "1.3.6.1.5.5.7.3.1";
    public const string ClientAuth = "1.3.6.1.5.5.7.3.2";

    public DateTimeOffset NotBefore { get; init; } = DateTimeOffset.UtcNow.AddMinutes(-2);

    public DateTimeOffset NotAfter { get; init; } = DateTimeOffset.UtcNow.AddDays(1);

    /// <summary>Extended key usages; null leaves the extension out.</summary>
    public ImmutableArray<string>? ExtendedKeyUsages { get; init; } = [ServerAuth, ClientAuth];

    /// <summary>Empty as istiod leaves it. Beware of the issuer's own name: without key identifiers such a leaf looks self-signed.</summary>
    public string Subject { get; init; } = "";

    /// <summary>Further extensions, right or wrong.</summary>
    public ImmutableArray<X509Extension> Extensions { get; init; } = [];

    /// <summary>How many bytes of harmless extension to add, for chains that are large.</summary>
    public int PaddingBytes { get; init; }

    /// <summary>The size of an RSA key instead of the usual P-256; 0: none.</summary>
    public int RsaBits { get; init; }

    /// <summary>What the signature hashes with.</summary>
    public HashAlgorithmName Hash { get; init; } = HashAlgorithmName.SHA256;
}

/// <summary>A certificate made for a test: leaf with its key, and the chain above it without the root.</summary>
public sealed record IssuedCertificate(X509Certificate2 Leaf, ImmutableArray<X509Certificate2> Intermediates, X509Certificate2 Root)
{
    public string KeyPem => Leaf.GetRSAPrivateKey()?.ExportPkcs8PrivateKeyPem() ?? Leaf.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem();

    /// <summary>Leaf and intermediates, as servers and clients are given them.</summary>
    public string ChainPem => string.Join('\n', Intermediates.Prepend(Leaf).Select(certificate => certificate.ExportCertificatePem()));

    public string RootPem => Root.ExportCertificatePem();

    /// <summary>The same as the product's type, trusting its own root, or other ones when given.</summary>
    public WorkloadCertificate ToWorkload(SpiffeId identity, TlsSettings? settings = null, params X509Certificate2[] roots) => WorkloadCertificate.Create(
        identity,
        Leaf.RawData,
        [.. Intermediates.Select(certificate => (ReadOnlyMemory<byte>)certificate.RawData)],
        [.. (roots.Length > 0 ? roots : [Root]).Select(certificate => (ReadOnlyMemory<byte>)certificate.RawData)],
        Leaf.GetECDsaPrivateKey()!.ExportPkcs8PrivateKey(),
        settings ?? TlsSettings.Default);
}

/// <summary>A certificate authority made for one test: a root, or an intermediate below another.</summary>
public sealed class TestAuthority
{
    private readonly X509Certificate2 _certificate;
    private readonly TestAuthority? _issuer;

    private TestAuthority(X509Certificate2 certificate, TestAuthority? issuer)
    {
        _certificate = certificate;
        _issuer = issuer;
    }

    public X509Certificate2 Certificate => _certificate;

    public X509Certificate2 Root => _issuer?.Root ?? _certificate;

    public string RootPem => Root.ExportCertificatePem();

    /// <summary>A self-signed root with a P-256 key.</summary>
    /// <param name="subject">Its name.</param>
    /// <param name="notBefore">Ten days ago when null.</param>
    /// <param name="notAfter">In ten years when null.</param>
    /// <param name="usages">What its key may be used for.</param>
    public static TestAuthority Create(
        string subject = "O=cluster.local", DateTimeOffset? notBefore = null, DateTimeOffset? notAfter = null, X509KeyUsageFlags usages = X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign)
    {
        var request = new CertificateRequest(subject, ECDsa.Create(ECCurve.NamedCurves.nistP256), HashAlgorithmName.SHA256);
        AddAuthorityExtensions(request, usages);
        return new TestAuthority(request.CreateSelfSigned(notBefore ?? DateTimeOffset.UtcNow.AddDays(-10), notAfter ?? DateTimeOffset.UtcNow.AddYears(10)), issuer: null);
    }

    /// <summary>A self-signed root with an RSA key, as istiod's own is.</summary>
    public static TestAuthority CreateRsa(string subject = "O=cluster.local")
    {
        var request = new CertificateRequest(subject, RSA.Create(2048), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        AddAuthorityExtensions(request);
        return new TestAuthority(request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-10), DateTimeOffset.UtcNow.AddYears(10)), issuer: null);
    }

    /// <summary>An authority below this one.</summary>
    /// <param name="subject">Its name.</param>
    /// <param name="notBefore">Five days ago when null.</param>
    /// <param name="notAfter">In a year when null.</param>
    public TestAuthority CreateIntermediate(string subject, DateTimeOffset? notBefore = null, DateTimeOffset? notAfter = null)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = AuthorityRequest(subject, key);
        using X509Certificate2 signed = Sign(request, notBefore ?? DateTimeOffset.UtcNow.AddDays(-5), notAfter ?? DateTimeOffset.UtcNow.AddYears(1));
        return new TestAuthority(signed.CopyWithPrivateKey(key), this);
    }

    /// <summary>A leaf with the given URI names, none when there are none.</summary>
    public IssuedCertificate Issue(LeafOptions options, params string[] uris)
    {
        RSA? rsa = options.RsaBits > 0 ? RSA.Create(options.RsaBits) : null;
        ECDsa? key = rsa is null ? ECDsa.Create(ECCurve.NamedCurves.nistP256) : null;
        CertificateRequest request = rsa is null
            ? new CertificateRequest(options.Subject, key!, options.Hash)
            : new CertificateRequest(options.Subject, rsa, options.Hash, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment, critical: true));
        AddNames(request, uris);
        if (options.ExtendedKeyUsages is { } usages)
        {
            var oids = new OidCollection();
            foreach (string usage in usages) oids.Add(new Oid(usage));
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(oids, critical: false));
        }

        foreach (X509Extension extension in options.Extensions) request.CertificateExtensions.Add(extension);
        if (options.PaddingBytes > 0) request.CertificateExtensions.Add(new X509Extension("1.3.6.1.4.1.55555.1", new byte[options.PaddingBytes], critical: false));

        using X509Certificate2 signed = Sign(request, options.NotBefore, options.NotAfter, options.Hash == HashAlgorithmName.SHA1 ? new Sha1SignatureGenerator(_certificate) : null);
        return new IssuedCertificate(rsa is null ? signed.CopyWithPrivateKey(key!) : signed.CopyWithPrivateKey(rsa), Intermediates(), Root);
    }

    public IssuedCertificate Issue(params string[] uris) => Issue(new LeafOptions(), uris);

    /// <summary>A certificate for a workload, ready for handshakes.</summary>
    public WorkloadCertificate IssueWorkload(SpiffeId identity, TlsSettings? settings = null) => Issue(identity.ToString()).ToWorkload(identity, settings);

    /// <summary>Signs somebody's request as a mesh's authority does, keeping key and names. Returns the chain as PEM texts: leaf, intermediates, root.</summary>
    public IReadOnlyList<string> SignRequest(string csrPem, LeafOptions? options = null)
    {
        options ??= new LeafOptions();
        CertificateRequest request = CertificateRequest.LoadSigningRequestPem(csrPem, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);
        using X509Certificate2 signed = Sign(request, options.NotBefore, options.NotAfter);
        return [signed.ExportCertificatePem(), .. Intermediates().Select(certificate => certificate.ExportCertificatePem()), RootPem];
    }

    /// <summary>Signs the key of somebody's request for an identity of the signer's choice, as istiod does: names of the request are not looked at. Returns leaf and intermediates as PEM texts.</summary>
    public IReadOnlyList<string> SignKey(string csrPem, string uri, DateTimeOffset notBefore, DateTimeOffset notAfter)
    {
        CertificateRequest asked = CertificateRequest.LoadSigningRequestPem(csrPem, HashAlgorithmName.SHA256);
        var request = new CertificateRequest(new X500DistinguishedName(""), asked.PublicKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(LeafOptions.ServerAuth), new Oid(LeafOptions.ClientAuth)], critical: false));
        // Rotated roots share their name: the key identifier tells verifiers which one signed.
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        AddNames(request, [uri]);
        using X509Certificate2 signed = Sign(request, notBefore, notAfter);
        return [signed.ExportCertificatePem(), .. Intermediates().Select(certificate => certificate.ExportCertificatePem())];
    }

    /// <summary>A revocation list of this authority in DER, naming the given certificates.</summary>
    public byte[] Revoke(IEnumerable<X509Certificate2> certificates, DateTimeOffset? thisUpdate = null, DateTimeOffset? nextUpdate = null)
    {
        var builder = new CertificateRevocationListBuilder();
        foreach (X509Certificate2 certificate in certificates) builder.AddEntry(certificate);
        DateTimeOffset from = thisUpdate ?? DateTimeOffset.UtcNow.AddMinutes(-1);
        return builder.Build(
            _certificate.SubjectName, Signer(), crlNumber: 1, nextUpdate ?? from.AddDays(1), HashAlgorithmName.SHA256,
            X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false), from);
    }

    /// <summary>The same as PEM, as control planes mount it.</summary>
    public string RevokePem(params X509Certificate2[] certificates) => PemEncoding.WriteString("X509 CRL", Revoke(certificates));

    private X509SignatureGenerator Signer() => _certificate.GetRSAPrivateKey() is { } rsa
        ? X509SignatureGenerator.CreateForRSA(rsa, RSASignaturePadding.Pkcs1)
        : X509SignatureGenerator.CreateForECDsa(_certificate.GetECDsaPrivateKey()!);

    private static CertificateRequest AuthorityRequest(string subject, ECDsa key)
    {
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        AddAuthorityExtensions(request);
        return request;
    }

    private static void AddAuthorityExtensions(CertificateRequest request, X509KeyUsageFlags usages = X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign)
    {
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(usages, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
    }

    private static void AddNames(CertificateRequest request, string[] uris)
    {
        if (uris.Length == 0) return;
        // Written by hand: the builder goes through System.Uri, which changes names.
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            foreach (string uri in uris) writer.WriteCharacterString(UniversalTagNumber.IA5String, uri, new Asn1Tag(TagClass.ContextSpecific, 6));
        }

        request.CertificateExtensions.Add(new X509Extension("2.5.29.17", writer.Encode(), critical: true));
    }

    private X509Certificate2 Sign(CertificateRequest request, DateTimeOffset notBefore, DateTimeOffset notAfter, X509SignatureGenerator? signer = null)
    {
        byte[] serial = RandomNumberGenerator.GetBytes(16);
        serial[0] &= 0x7F;
        return request.Create(_certificate.SubjectName, signer ?? Signer(), notBefore, notAfter, serial);
    }

    private ImmutableArray<X509Certificate2> Intermediates() => _issuer is null ? [] : [_certificate, .. _issuer.Intermediates()];
}
