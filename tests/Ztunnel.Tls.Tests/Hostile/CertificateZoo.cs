using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Ztunnel.Mesh.Identity;
using Ztunnel.Testing;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Tls.Tests.Hostile;

/// <summary>One certificate that a peer may show, made for the identity that the other side would accept, and what is to become of it.</summary>
/// <param name="Show">Makes it; the identity is Alice's for clients and Bob's for servers.</param>
/// <param name="Reason">Why it is refused; null: it is accepted.</param>
/// <param name="Alert">What the peer is told.</param>
internal sealed record ZooAnimal(Func<SpiffeId, IssuedCertificate> Show, TlsFailureReason? Reason, TlsAlert Alert = TlsAlert.CertificateUnknown)
{
    /// <summary>The reason where a server is judged, when it is another one than for clients.</summary>
    public TlsFailureReason? ReasonOfServer { get; init; } = Reason;

    /// <summary>The library refuses it before any name is looked at, but its releases word that differently.</summary>
    public bool IsRefusedByTheLibrary { get; init; }
}

/// <summary>Certificates of every kind that a verifier may meet. Expected identities are accepted by clients only if they are equal, by servers if the trust domain is (control-path 7.8).</summary>
internal static class CertificateZoo
{
    private const string NamesOid = "2.5.29.17";
    private static readonly TestAuthority Stranger = TestAuthority.Create("O=stranger");
    private static readonly TestAuthority Namesake = TestAuthority.Create("O=cluster.local");
    private static readonly Asn1Tag UriTag = new(TagClass.ContextSpecific, 6);
    private static readonly Asn1Tag DnsTag = new(TagClass.ContextSpecific, 2);
    private static readonly Asn1Tag AddressTag = new(TagClass.ContextSpecific, 7);

    internal static IReadOnlyDictionary<string, ZooAnimal> All { get; } = new Dictionary<string, ZooAnimal>
    {
        ["as it should be"] = new(static id => TestMesh.Authority.Issue(id.ToString()), null),

        // Names.
        ["no name"] = Named(),
        ["a name that is no SPIFFE identity"] = Named("https://cluster.local/ns/default/sa/alice"),
        ["SPIFFE in capitals"] = Named("SPIFFE://cluster.local/ns/default/sa/alice"),
        ["a path too long"] = Named("spiffe://cluster.local/ns/default/sa/alice/more"),
        ["a path too short"] = Named("spiffe://cluster.local/ns/default"),
        ["an empty name"] = Named(""),
        ["another trust domain"] = Named("spiffe://other.td/ns/default/sa/alice", "spiffe://other.td/ns/default/sa/bob"),
        ["a trust domain that begins like ours"] = Named("spiffe://cluster.local.evil/ns/default/sa/alice"),
        ["a trust domain in capitals"] = Named("spiffe://CLUSTER.LOCAL/ns/default/sa/alice"),
        ["a name that goes on behind a zero byte"] = new(static id => Raw(Names((UriTag, Encoding.ASCII.GetBytes($"{id}\0.evil")))), TlsFailureReason.TrustDomainMismatch) { ReasonOfServer = TlsFailureReason.IdentityMismatch },
        ["the identity as a DNS name"] = new(static id => Raw(Names((DnsTag, Encoding.ASCII.GetBytes(id.ToString())))), TlsFailureReason.TrustDomainMismatch) { ReasonOfServer = TlsFailureReason.IdentityMismatch },
        ["two names, ours last"] = new(static id => TestMesh.Authority.Issue("spiffe://other.td/ns/default/sa/alice", id.ToString()), null),
        ["two names, the first no identity"] = new(static id => TestMesh.Authority.Issue("https://example.com/", id.ToString()), null),
        ["names of other kinds around it"] = new(static id => Raw(Names((DnsTag, "a.example"u8.ToArray()), (AddressTag, [10, 0, 0, 1]), (UriTag, Encoding.ASCII.GetBytes(id.ToString())), (DnsTag, "b.example"u8.ToArray()))), null),
        ["a thousand names, ours last"] = new(static id => TestMesh.Authority.Issue([.. Foreign(1_000), id.ToString()]), null),
        ["a thousand names, none ours"] = new(static _ => TestMesh.Authority.Issue(Foreign(1_000)), TlsFailureReason.TrustDomainMismatch) { ReasonOfServer = TlsFailureReason.IdentityMismatch },

        // Who signed it.
        ["the same name under another root"] = new(static id => Stranger.Issue(id.ToString()), TlsFailureReason.CertificateUnknownIssuer, TlsAlert.UnknownCa),
        ["the same name under another root of the same name"] = new(static id => Namesake.Issue(id.ToString()), TlsFailureReason.CertificateBadSignature, TlsAlert.DecryptError),
        ["signed by a workload"] = new(static id => BelowALeaf(id), TlsFailureReason.CertificateInvalid, TlsAlert.UnknownCa),
        ["without its intermediate"] = new(static id => TestMesh.Authority.CreateIntermediate("O=i").Issue(id.ToString()) with { Intermediates = [] }, TlsFailureReason.CertificateUnknownIssuer, TlsAlert.UnknownCa),
        ["with an intermediate of somebody else"] = new(static id => TestMesh.Authority.Issue(id.ToString()) with { Intermediates = [Stranger.CreateIntermediate("O=i").Certificate] }, null),
        ["eight intermediates"] = new(static id => Below(8).Issue(id.ToString()), null),
        ["twelve intermediates"] = new(static id => Below(12).Issue(id.ToString()), TlsFailureReason.CertificateUnknownIssuer, TlsAlert.UnknownCa),
        ["a chain of 110 KiB"] = new(static id => TestMesh.Authority.Issue(new LeafOptions { PaddingBytes = 110 * 1024 }, id.ToString()), TlsFailureReason.TooLarge, TlsAlert.IllegalParameter),

        // When and what for.
        ["expired"] = new(static id => TestMesh.Authority.Issue(new LeafOptions { NotBefore = Days(-9), NotAfter = Days(-1) }, id.ToString()), TlsFailureReason.CertificateExpired, TlsAlert.CertificateExpired),
        ["not yet valid"] = new(static id => TestMesh.Authority.Issue(new LeafOptions { NotBefore = Days(1), NotAfter = Days(2) }, id.ToString()), TlsFailureReason.CertificateNotYetValid, TlsAlert.BadCertificate),
        ["for signing code"] = new(static id => TestMesh.Authority.Issue(new LeafOptions { ExtendedKeyUsages = ["1.3.6.1.5.5.7.3.3"] }, id.ToString()), TlsFailureReason.CertificatePurpose, TlsAlert.UnsupportedCertificate),
        ["without extended key usages"] = new(static id => TestMesh.Authority.Issue(new LeafOptions { ExtendedKeyUsages = null }, id.ToString()), null),

        // Encodings.
        ["an extension that nobody knows, critical"] = new(static id => TestMesh.Authority.Issue(new LeafOptions { Extensions = [new X509Extension("1.3.6.1.4.1.55555.9", [5, 0], critical: true)] }, id.ToString()), TlsFailureReason.CertificateInvalid),
        ["an extension that nobody knows"] = new(static id => TestMesh.Authority.Issue(new LeafOptions { Extensions = [new X509Extension("1.3.6.1.4.1.55555.9", [5, 0], critical: false)] }, id.ToString()), null),
        ["names twice"] = new(static id => NamesTwice(id), TlsFailureReason.CertificateInvalid) { IsRefusedByTheLibrary = true },
        ["names that are no ASN.1"] = new(static _ => Raw([0x30, 0x82, 0xff, 0xff, 1]), TlsFailureReason.CertificateInvalid) { IsRefusedByTheLibrary = true },
        ["names with a length of two bytes where one would do"] = new(static id => Raw(LongLength(Names((UriTag, Encoding.ASCII.GetBytes(id.ToString()))))), TlsFailureReason.TrustDomainMismatch) { ReasonOfServer = TlsFailureReason.IdentityMismatch },
        ["bytes behind the names"] = new(static id => Raw([.. Names((UriTag, Encoding.ASCII.GetBytes(id.ToString()))), 5, 0]), TlsFailureReason.TrustDomainMismatch) { ReasonOfServer = TlsFailureReason.IdentityMismatch },
        ["a subject of every kind of text"] = new(static id => TestMesh.Authority.Issue(new LeafOptions { Subject = "CN=\u00fc\u4e2d\U0001f600, O=\"a,b\\\\c\", OU=x" }, id.ToString()), null),
    };

    private static ZooAnimal Named(params string[] names) =>
        new(_ => TestMesh.Authority.Issue(names), TlsFailureReason.TrustDomainMismatch) { ReasonOfServer = TlsFailureReason.IdentityMismatch };

    private static DateTimeOffset Days(int days) => DateTimeOffset.UtcNow.AddDays(days);

    private static string[] Foreign(int count) => [.. Enumerable.Range(0, count).Select(static i => $"spiffe://other.td/ns/n{i}/sa/a")];

    private static TestAuthority Below(int intermediates)
    {
        TestAuthority authority = TestMesh.Authority;
        for (int i = 0; i < intermediates; i++) authority = authority.CreateIntermediate($"O=i{i}");
        return authority;
    }

    /// <summary>A leaf whose names are exactly these bytes.</summary>
    private static IssuedCertificate Raw(byte[] names) => TestMesh.Authority.Issue(new LeafOptions { Extensions = [new X509Extension(NamesOid, names, critical: false)] });

    /// <summary>No builder writes an extension twice: another one is renamed in the encoding, which is signed again.</summary>
    private static IssuedCertificate NamesTwice(SpiffeId identity)
    {
        byte[] other = Names((UriTag, "spiffe://other.td/ns/a/sa/b"u8.ToArray()));
        IssuedCertificate issued = TestMesh.Authority.Issue(new LeafOptions { Extensions = [new X509Extension("2.5.29.99", other, critical: false)] }, identity.ToString());
        var reader = new AsnReader(issued.Leaf.RawData, AsnEncodingRules.DER);
        reader = reader.ReadSequence();
        byte[] body = reader.ReadEncodedValue().ToArray();
        body[body.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x55, 0x1d, 99]) + 2] = 17;
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteEncodedValue(body);
            writer.WriteEncodedValue(reader.ReadEncodedValue().Span);
            writer.WriteBitString(TestMesh.Authority.Certificate.GetECDsaPrivateKey()!.SignData(body, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence));
        }

        X509Certificate2 leaf = X509CertificateLoader.LoadCertificate(writer.Encode());
        return issued with { Leaf = leaf.CopyWithPrivateKey(issued.Leaf.GetECDsaPrivateKey()!) };
    }

    private static byte[] Names(params (Asn1Tag Tag, byte[] Value)[] names)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            foreach ((Asn1Tag tag, byte[] value) in names) writer.WriteOctetString(value, tag);
        }

        return writer.Encode();
    }

    /// <summary>The same sequence with a length that DER forbids and BER allows.</summary>
    private static byte[] LongLength(byte[] sequence) => [sequence[0], 0x82, 0, sequence[1], .. sequence[2..]];

    /// <summary>A workload's own key signs a certificate for somebody else.</summary>
    private static IssuedCertificate BelowALeaf(SpiffeId identity)
    {
        IssuedCertificate signer = TestMesh.Authority.Issue(new LeafOptions { Subject = "O=workload" }, "spiffe://cluster.local/ns/default/sa/mallory");
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509Extension(NamesOid, Names((UriTag, Encoding.ASCII.GetBytes(identity.ToString()))), critical: true));
        using X509Certificate2 signed = request.Create(
            signer.Leaf.SubjectName, X509SignatureGenerator.CreateForECDsa(signer.Leaf.GetECDsaPrivateKey()!), Days(-1), Days(1), [1, 2, 3, 4]);
        return new IssuedCertificate(signed.CopyWithPrivateKey(key), [signer.Leaf], signer.Root);
    }
}
