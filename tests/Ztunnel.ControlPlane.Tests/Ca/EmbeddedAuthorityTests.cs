using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.ControlPlane.Ca;
using Ztunnel.ControlPlane.Tests.Support;
using Ztunnel.Mesh.Identity;
using Ztunnel.Testing;
using Ztunnel.Testing.Logging;
using Ztunnel.Testing.Processes;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.ControlPlane.Tests.Ca;

public sealed class EmbeddedAuthorityTests : IDisposable
{
    private static readonly SpiffeId Cart = new("Mesh.Example", "shop", "cart");

    private readonly TestFolder _folder = new();
    private readonly RecordingLogger _log = new();

    private string RootFile => _folder.File("root.pem");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Start_NoFile_CreatesOneForTheOwnerAlone()
    {
        using EmbeddedAuthority authority = Start();

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(RootFile));
        Assert.Equal([RootFile], Directory.GetFiles(_folder.Root));
        Assert.Contains(_log.Lines(LogLevel.Warning), line => line.StartsWith("FAKE CA IN USE", StringComparison.Ordinal) && line.Contains(RootFile));
    }

    [Fact]
    public async Task Start_ManyAtOnce_AllHaveTheSameRoot()
    {
        const int Processes = 16;
        using Barrier together = new(Processes);

        byte[][] roots = await Task.WhenAll(Enumerable.Range(0, Processes).Select(_ => Task.Factory.StartNew(
            () =>
            {
                together.SignalAndWait(TimeSpan.FromSeconds(10));
                using EmbeddedRoot root = EmbeddedRoot.LoadOrCreate(RootFile, TimeProvider.System);
                return root.Certificate.RawData;
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

        Assert.All(roots, root => Assert.Equal(roots[0], root));
        Assert.Equal([RootFile], Directory.GetFiles(_folder.Root));
    }

    [Fact]
    public async Task Sign_Identity_IsAcceptedByOpenSslForBothUses()
    {
        using EmbeddedAuthority authority = Start();

        using WorkloadCertificate certificate = await authority.SignAsync(Cart, CancellationToken.None);

        using X509Certificate2 leaf = X509CertificateLoader.LoadCertificate(certificate.Leaf.Span);
        using X509Certificate2 root = X509CertificateLoader.LoadCertificate(certificate.Roots.Single().Span);
        string leafFile = _folder.Write("leaf.pem", leaf.ExportCertificatePem());
        string rootFile = _folder.Write("trust.pem", root.ExportCertificatePem());
        foreach (string purpose in new[] { "sslserver", "sslclient" })
        {
            CommandResult verified = TestCommand.Run("openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", rootFile, leafFile);
            Assert.Equal($"{leafFile}: OK", verified.Output.Trim());
        }
        string text = TestCommand.Run("openssl", "x509", "-in", leafFile, "-noout", "-text").Output;
        Assert.Contains("URI:spiffe://Mesh.Example/ns/shop/sa/cart", text);
        Assert.Contains("Subject: O = cluster.local", text);
        Assert.Contains("ASN1 OID: prime256v1", text);
        Assert.Equal(Cart, certificate.LeafIdentity);
    }

    [Fact]
    public async Task Sign_Lifetime_IsThatOfTheSettings()
    {
        DateTimeOffset before = DateTimeOffset.UtcNow;
        using EmbeddedAuthority authority = Start(TimeSpan.FromMinutes(5));

        using WorkloadCertificate certificate = await authority.SignAsync(Cart, CancellationToken.None);

        Assert.InRange(certificate.NotAfter, before.AddMinutes(5).AddSeconds(-1), DateTimeOffset.UtcNow.AddMinutes(5));
        Assert.InRange(certificate.NotBefore, before.AddMinutes(-2).AddSeconds(-1), DateTimeOffset.UtcNow.AddMinutes(-2).AddSeconds(1));
    }

    [Fact]
    public async Task Sign_TwoProcessesWithOneFile_TrustEachOther()
    {
        using EmbeddedAuthority first = Start();
        using EmbeddedAuthority second = Start();

        using WorkloadCertificate ours = await first.SignAsync(Cart, CancellationToken.None);
        using WorkloadCertificate theirs = await second.SignAsync(Cart, CancellationToken.None);

        Assert.Equal(ours.Roots.Single().ToArray(), theirs.Roots.Single().ToArray());
        Assert.NotEqual(ours.SerialNumber, theirs.SerialNumber);
        Assert.False(ours.Leaf.Span.SequenceEqual(theirs.Leaf.Span));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not a certificate")]
    [InlineData("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
    public void Start_DamagedFile_NamesItAndLeavesItAlone(string content)
    {
        _folder.Write("root.pem", content);

        AuthorityException error = Assert.Throws<AuthorityException>(() => Start());

        Assert.Contains(RootFile, error.Message);
        Assert.Contains("expected a PEM private key and its certificate", error.Message);
        Assert.Equal(content, File.ReadAllText(RootFile));
    }

    [Fact]
    public void Start_KeyOfAnotherCertificate_IsRefused()
    {
        using ECDsa foreign = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        _folder.Write("root.pem", foreign.ExportPkcs8PrivateKeyPem() + "\n" + TestAuthority.Create().RootPem);

        AuthorityException error = Assert.Throws<AuthorityException>(() => Start());

        Assert.Contains(RootFile, error.Message);
    }

    [Fact]
    public void Start_RootWithoutSubjectKeyIdentifier_IsRefused()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("O=cluster.local", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        using X509Certificate2 root = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        _folder.Write("root.pem", key.ExportPkcs8PrivateKeyPem() + "\n" + root.ExportCertificatePem());

        AuthorityException error = Assert.Throws<AuthorityException>(() => Start());

        Assert.Contains("subject key identifier", error.Message);
    }

    [Fact]
    public void Start_LeafInsteadOfRoot_IsRefused()
    {
        IssuedCertificate leaf = TestAuthority.Create().Issue(Cart.ToString());
        _folder.Write("root.pem", leaf.KeyPem + "\n" + leaf.Leaf.ExportCertificatePem());

        AuthorityException error = Assert.Throws<AuthorityException>(() => Start());

        Assert.Contains("not one of an authority", error.Message);
    }

    [Fact]
    public void Start_FolderMissing_SaysSo()
    {
        string path = _folder.File("absent/root.pem");

        AuthorityException error = Assert.Throws<AuthorityException>(() => Start(path: path));

        Assert.Contains(path, error.Message);
    }

    [Fact]
    public void Start_KeyReadableByOthers_Warns()
    {
        Start().Dispose();
        File.SetUnixFileMode(RootFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);

        Start().Dispose();

        Assert.Single(_log.Lines(LogLevel.Warning), line => line.Contains("can be read by others"));
    }

    private EmbeddedAuthority Start(TimeSpan? lifetime = null, string? path = null) => new(
        new EmbeddedAuthoritySettings { RootFile = path ?? RootFile, CertificateLifetime = lifetime ?? TimeSpan.FromHours(24), Tls = TlsSettings.Default },
        TimeProvider.System,
        path is null ? _log : NullLogger.Instance);
}
