using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Ztunnel.Mesh.Identity;
using Ztunnel.Testing;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Interop;
using Ztunnel.Tls.Records;
using Ztunnel.Tls.Tests.Handshake;

namespace Ztunnel.Tls.Tests.Certificates;

/// <summary>Requests and answers of control-path 7.2 and 7.3.</summary>
public sealed class SigningRequestTests
{
    [Fact]
    public void Create_AskedForAnIdentity_HasOnlyTheCriticalName()
    {
        SpiffeId identity = SpiffeId.Parse("spiffe://Cluster.Local/ns/Default/sa/with.dots");
        using SigningRequest request = SigningRequest.Create(identity);

        CertificateRequest parsed = CertificateRequest.LoadSigningRequestPem(request.Pem, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);

        Assert.Equal([0x30, 0], parsed.SubjectName.RawData);
        X509Extension name = Assert.Single(parsed.CertificateExtensions);
        Assert.Equal("2.5.29.17", name.Oid?.Value);
        Assert.True(name.Critical);
        Assert.Equal(identity.ToString(), Assert.Single(UriNames.Read(name.RawData)));
        Assert.Equal(256, parsed.PublicKey.GetECDsaPublicKey()?.KeySize);
        Assert.StartsWith("-----BEGIN CERTIFICATE REQUEST-----", request.Pem, StringComparison.Ordinal);
    }

    [Fact]
    public void Create_NameThatIsNoUri_Throws() =>
        Assert.Throws<FormatException>(() => SigningRequest.Create(new SpiffeId("cluster.local", "a b", "x")));

    [Fact]
    public void Complete_AnswerWithIntermediates_IsReadyForHandshakes()
    {
        TestAuthority root = TestAuthority.CreateRsa();
        TestAuthority intermediate = root.CreateIntermediate("O=intermediate");
        using WorkloadCertificate alice = Sign(intermediate, TestMesh.Alice);
        using WorkloadCertificate bob = Sign(root, TestMesh.Bob);

        (TlsSession client, TlsSession server) = HandshakePair.Establish(alice, bob);

        Assert.Equal(TestMesh.Alice, server.Peer.Identity);
        Assert.Equal(intermediate.Certificate.RawData, Assert.Single(alice.Intermediates).ToArray());
        Assert.Equal(root.Root.RawData, Assert.Single(alice.Roots).ToArray());
        client.Dispose();
        server.Dispose();
    }

    [Theory]
    [InlineData("in the last element")]
    [InlineData("one an element")]
    public void Complete_SeveralRoots_AllAreTrustedAndNoneIsSent(string where)
    {
        TestAuthority other = TestAuthority.Create("O=other");
        using SigningRequest request = SigningRequest.Create(TestMesh.Alice);
        IReadOnlyList<string> chain = TestMesh.Authority.SignRequest(request.Pem);
        IReadOnlyList<string> answer = where == "one an element" ? [chain[0], other.RootPem, chain[1]] : [chain[0], $"{other.RootPem}\n{chain[1]}"];

        using WorkloadCertificate certificate = request.Complete(answer, LeafIdentityCheck.Required, TlsSettings.Default);

        Assert.Equal([other.Root.RawData, TestMesh.Authority.Root.RawData], certificate.Roots.Select(root => root.ToArray()));
        Assert.Empty(certificate.Intermediates);
    }

    [Theory]
    [InlineData("nothing", "chain returned from CA is empty for: spiffe://cluster.local/ns/default/sa/alice")]
    [InlineData("only the leaf", "no root certificate present")]
    [InlineData("no pem", "element 1 of the chain returned from CA holds no PEM certificate")]
    [InlineData("no certificate", "element 1 of the chain returned from CA is not a certificate")]
    [InlineData("other identity", "did not find expected SAN: spiffe://cluster.local/ns/default/sa/alice")]
    public void Complete_UnusableAnswer_SaysWhy(string which, string message)
    {
        using SigningRequest request = SigningRequest.Create(TestMesh.Alice);
        IReadOnlyList<string> good = TestMesh.Authority.SignRequest(request.Pem);
        IReadOnlyList<string> answer = which switch
        {
            "nothing" => [],
            "only the leaf" => [good[0]],
            "no pem" => [good[0], "no root today"],
            "no certificate" => [good[0], PemEncoding.WriteString("CERTIFICATE", [1, 2, 3])],
            _ => [TestMesh.BobIssued.Leaf.ExportCertificatePem(), good[1]],
        };

        CertificateChainException failure = Assert.Throws<CertificateChainException>(() => request.Complete(answer, LeafIdentityCheck.Required, TlsSettings.Default));

        Assert.StartsWith(message, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Complete_LeafForAnotherKey_IsRefused()
    {
        using SigningRequest request = SigningRequest.Create(TestMesh.Alice);
        string[] answer = [TestMesh.AliceIssued.Leaf.ExportCertificatePem(), TestMesh.Authority.RootPem];

        OpenSslException failure = Assert.Throws<OpenSslException>(() => request.Complete(answer, LeafIdentityCheck.Required, TlsSettings.Default));

        Assert.Contains("private key", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Complete_LeafIdentityNotRequired_TakesWhatTheAuthorityGives()
    {
        using SigningRequest request = SigningRequest.Create(TestMesh.Bob);

        IssuedChain chain = IssuedChain.Parse(TestMesh.Alice, TestMesh.Authority.SignRequest(request.Pem), LeafIdentityCheck.Skipped);

        Assert.Single(chain.Roots);
    }

    private static WorkloadCertificate Sign(TestAuthority authority, SpiffeId identity)
    {
        using SigningRequest request = SigningRequest.Create(identity);
        return request.Complete(authority.SignRequest(request.Pem), LeafIdentityCheck.Required, TlsSettings.Default);
    }
}
