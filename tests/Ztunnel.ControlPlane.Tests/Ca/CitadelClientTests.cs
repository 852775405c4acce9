using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.ControlPlane.Ca;
using Ztunnel.ControlPlane.Tests.Support;
using Ztunnel.Istiod;
using Ztunnel.Istiod.Server;
using Ztunnel.Mesh.Identity;
using Ztunnel.Protos.Citadel;
using Ztunnel.Testing;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.ControlPlane.Tests.Ca;

public sealed class CitadelClientTests
{
    private static readonly SpiffeId Front = new("cluster.local", "shop", "front");

    [Fact]
    public async Task Sign_SharedMode_AsksAsTheOriginalDoes()
    {
        IstioCertificateRequest recorded = IstioCertificateRequest.Parser.ParseFrom(Fixture.Bytes("xds/01-initial-wildcard/002-ca-request.binpb"));
        IstioCertificateRequest? ours = null;
        TestAuthority authority = TestAuthority.CreateRsa();
        await using IstiodServer istiod = await new IstiodServer
        {
            Certificates = async (call, request) =>
            {
                ours = request;
                await AnswerAsync(call, [.. authority.SignRequest(request.Csr)]);
            },
        }.StartAsync();
        using CitadelClient client = Client(istiod);

        using WorkloadCertificate certificate = await client.SignAsync(Front, CancellationToken.None);

        Assert.Equal(Front, certificate.LeafIdentity);
        Assert.Equal(authority.Root.RawData, certificate.Roots.Single().ToArray());
        Assert.Equal(recorded.Metadata, ours!.Metadata);
        Assert.Equal(recorded.ValidityDuration, ours.ValidityDuration);
        CertificateRequest expected = Load(recorded.Csr);
        CertificateRequest actual = Load(ours.Csr);
        Assert.Equal(expected.SubjectName.RawData, actual.SubjectName.RawData);
        Assert.Equal(expected.PublicKey.EncodedParameters?.RawData, actual.PublicKey.EncodedParameters?.RawData);
        Assert.Equal(expected.CertificateExtensions.Select(Describe), actual.CertificateExtensions.Select(Describe));
    }

    [Fact]
    public async Task Sign_DedicatedMode_SendsNoMetadataAndTakesWhatItGets()
    {
        IstioCertificateRequest? seen = null;
        TestAuthority authority = TestAuthority.Create();
        await using IstiodServer istiod = await new IstiodServer
        {
            Certificates = async (call, request) =>
            {
                seen = request;
                await AnswerAsync(call, [.. authority.SignRequest(request.Csr)]);
            },
        }.StartAsync();
        using CitadelClient client = Client(istiod, impersonate: false);

        using WorkloadCertificate certificate = await client.SignAsync(Front, CancellationToken.None);

        Assert.Null(seen!.Metadata);
        Assert.Equal(3600, seen.ValidityDuration);
    }

    [Fact]
    public async Task Sign_BehindAnIntermediate_SendsItAndTrustsTheRoot()
    {
        TestAuthority root = TestAuthority.Create("O=root");
        TestAuthority intermediate = root.CreateIntermediate("O=intermediate");
        await using IstiodServer istiod = await new IstiodServer { Certificates = (call, request) => AnswerAsync(call, [.. intermediate.SignRequest(request.Csr)]) }.StartAsync();
        using CitadelClient client = Client(istiod);

        using WorkloadCertificate certificate = await client.SignAsync(Front, CancellationToken.None);

        Assert.Equal(intermediate.Certificate.RawData, certificate.Intermediates.Single().ToArray());
        Assert.Equal(root.Root.RawData, certificate.Roots.Single().ToArray());
    }

    [Theory]
    [InlineData("empty", "chain returned from CA is empty for: spiffe://cluster.local/ns/shop/sa/front")]
    [InlineData("leaf only", "no root certificate present")]
    [InlineData("garbage", "holds no PEM certificate")]
    [InlineData("recorded", "did not find expected SAN: spiffe://cluster.local/ns/shop/sa/front")]
    public async Task Sign_UnusableAnswer_Fails(string kind, string expected)
    {
        TestAuthority authority = TestAuthority.Create();
        await using IstiodServer istiod = await new IstiodServer
        {
            Certificates = (call, request) => AnswerAsync(call, kind switch
            {
                "empty" => [],
                "leaf only" => [authority.SignRequest(request.Csr)[0]],
                "garbage" => ["nothing", "at all"],
                // What a real istiod answered for another identity.
                _ => [.. IstioCertificateResponse.Parser.ParseFrom(Fixture.Bytes("xds/01-initial-wildcard/006-ca-response.binpb")).CertChain],
            }),
        }.StartAsync();
        using CitadelClient client = Client(istiod);

        CertificateChainException error = await Assert.ThrowsAsync<CertificateChainException>(() => client.SignAsync(Front, CancellationToken.None));

        Assert.Contains(expected, error.Message);
    }

    [Fact]
    public async Task Sign_Refused_HasTheStatusInItsMessage()
    {
        await using IstiodServer istiod = await new IstiodServer
        {
            Certificates = static (call, _) =>
            {
                call.End(16, "request impersonation authentication failure");
                return Task.CompletedTask;
            },
        }.StartAsync();
        using CitadelClient client = Client(istiod);

        AuthorityException error = await Assert.ThrowsAsync<AuthorityException>(() => client.SignAsync(Front, CancellationToken.None));

        Assert.Equal("signing gRPC error (Unauthenticated): request impersonation authentication failure", error.Message);
    }

    [Fact]
    public async Task Sign_NoAnswer_EndsInTime()
    {
        TaskCompletionSource gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using IstiodServer istiod = await new IstiodServer
        {
            Certificates = async (call, _) =>
            {
                call.Aborted.Register(gone.SetResult);
                await gone.Task;
            },
        }.StartAsync();
        using CitadelClient client = Client(istiod, timeout: TimeSpan.FromMilliseconds(300));

        AuthorityException error = await Assert.ThrowsAsync<AuthorityException>(() => client.SignAsync(Front, CancellationToken.None));

        Assert.StartsWith("signing gRPC error (DeadlineExceeded)", error.Message);
        await gone.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    private static async Task AnswerAsync(GrpcCall call, string[] chain)
    {
        await call.WriteAsync(new IstioCertificateResponse { CertChain = { chain } });
        call.End(0);
    }

    private static CertificateRequest Load(string pem) =>
        CertificateRequest.LoadSigningRequestPem(pem, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);

    private static (string? Oid, bool Critical, string Content) Describe(X509Extension extension) => (extension.Oid?.Value, extension.Critical, Convert.ToHexString(extension.RawData));

    private static CitadelClient Client(IstiodServer istiod, bool impersonate = true, TimeSpan? timeout = null) => new(
        new CitadelClientSettings
        {
            Channel = istiod.Channel,
            CertificateLifetime = impersonate ? TimeSpan.FromHours(24) : TimeSpan.FromHours(1),
            Impersonate = impersonate,
            Timeout = timeout ?? TimeSpan.FromSeconds(10),
            Tls = TlsSettings.Default,
        },
        TimeProvider.System, NullLogger.Instance);
}
