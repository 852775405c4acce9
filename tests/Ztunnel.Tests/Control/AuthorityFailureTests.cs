using Microsoft.Extensions.Logging;
using Ztunnel.Istiod;
using Ztunnel.Protos.Citadel;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Tests.Control;

/// <summary>What goes wrong between us and istiod's certificate service, row by row of control-path 11.</summary>
public sealed class AuthorityFailureTests : IAsyncDisposable
{
    private readonly ControlRig _rig = new();

    public ValueTask DisposeAsync() => _rig.DisposeAsync();

    [Fact]
    public async Task Authority_DownAtStart_FailsConnectionsAtOnceAndIsAskedAgain()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        istiod.Script.RefuseCertificates = new Refusal(14, "CA is not ready");
        _rig.Start();
        await _rig.SyncedAsync();
        await _rig.Log.WaitForAsync(LogLevel.Warning, "certificate fetch failed (signing gRPC error (Unavailable): CA is not ready)");

        CertificateUnavailableException told = await Assert.ThrowsAsync<CertificateUnavailableException>(() => _rig.GetCertificateAsync());
        Assert.Equal("signing gRPC error (Unavailable): CA is not ready", told.Message);
        Assert.Equal(CertificateState.Unavailable, Assert.Single(_rig.Certificates.Snapshot()).State);
        Assert.Contains("ztunnel_ca_requests_total{code=\"Unavailable\"}", _rig.Scrape(), StringComparison.Ordinal);

        istiod.Script.RefuseCertificates = null;
        await _rig.IssuedAsync();
        Assert.Equal(ControlRig.Web, (await _rig.GetCertificateAsync()).LeafIdentity!.ToString());
    }

    [Fact]
    public async Task Authority_DownAtRenewal_CertificateServesUntilItExpires()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.With("SECRET_TTL", "3s").Start();
        await _rig.IssuedAsync();
        WorkloadCertificate first = await _rig.GetCertificateAsync();
        istiod.Script.RefuseCertificates = new Refusal(14, "CA is not ready");

        await _rig.Log.WaitForAsync(LogLevel.Warning, "certificate fetch failed");
        Assert.Equal(first.SerialNumber, (await _rig.GetCertificateAsync()).SerialNumber);
        Assert.Equal(CertificateState.Available, Assert.Single(_rig.Certificates.Snapshot()).State);

        // Over with the certificate's life: from then on connections are told why.
        CertificateUnavailableException? told = null;
        for (int failures = 2; told is null; failures++)
        {
            await _rig.Log.WaitForAsync(LogLevel.Warning, "certificate fetch failed", failures);
            told = await Record.ExceptionAsync(() => _rig.GetCertificateAsync()) as CertificateUnavailableException;
        }

        Assert.Equal("signing gRPC error (Unavailable): CA is not ready", told.Message);
        istiod.Script.RefuseCertificates = null;
        await _rig.IssuedAsync(times: 2);
        Assert.NotEqual(first.SerialNumber, (await _rig.GetCertificateAsync()).SerialNumber);
    }

    [Fact]
    public async Task Authority_Renewing_GivesAnotherCertificateWithoutAGap()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.With("SECRET_TTL", "2s").Start();

        HashSet<string> serials = [];
        for (int issued = 1; issued <= 3; issued++)
        {
            await _rig.IssuedAsync(issued);
            serials.Add((await _rig.GetCertificateAsync()).SerialNumber);
        }

        Assert.Equal(3, serials.Count);
        Assert.Empty(_rig.Log.Lines(LogLevel.Warning));
    }

    [Fact]
    public async Task Authority_SigningForAnother_IsNotBelieved()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        istiod.Script.WrongIdentity = "spiffe://cluster.local/ns/shop/sa/admin";
        _rig.Start();

        await _rig.Log.WaitForAsync(LogLevel.Warning, $"did not find expected SAN: {ControlRig.Web}");
        Assert.Contains("ztunnel_ca_requests_total{code=\"invalid_answer\"}", _rig.Scrape(), StringComparison.Ordinal);
        istiod.Script.WrongIdentity = null;

        await _rig.IssuedAsync();
    }

    [Theory]
    [InlineData("nothing", "chain returned from CA is empty")]
    [InlineData("leaf only", "no root certificate present")]
    [InlineData("garbage", "holds no PEM certificate")]
    public async Task Authority_AnsweringNonsense_IsToldAndAskedAgain(string kind, string expected)
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        istiod.Script.TamperCertificates = response => kind switch
        {
            "nothing" => new IstioCertificateResponse(),
            "leaf only" => new IstioCertificateResponse { CertChain = { response.CertChain[0] } },
            _ => new IstioCertificateResponse { CertChain = { "what", "is this" } },
        };
        _rig.Start();
        await _rig.Log.WaitForAsync(LogLevel.Warning, expected);

        istiod.Script.TamperCertificates = null;

        await _rig.IssuedAsync();
    }

    [Fact]
    public async Task Authority_Hanging_EndsWithItsTimeLimitAndHoldsNobodyElse()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        istiod.Script.Delay = TimeSpan.FromSeconds(60);
        _rig.With("XDS_ADDRESS", "").With("LOCAL_XDS", "workloads: []").Start(new CertificateStoreSettings { RequestTimeout = TimeSpan.FromMilliseconds(300) });

        CertificateUnavailableException told = await Assert.ThrowsAsync<CertificateUnavailableException>(() => _rig.GetCertificateAsync());
        Assert.Contains("timed out after 0.3s", told.Message, StringComparison.Ordinal);

        istiod.Script.Delay = TimeSpan.Zero;
        await _rig.IssuedAsync();
    }

    [Fact]
    public async Task Authority_HangingAtShutdown_DoesNotHoldIt()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.Start();
        await _rig.SyncedAsync();
        await _rig.IssuedAsync();
        istiod.Script.Hold();
        Task<WorkloadCertificate> asked = _rig.GetCertificateAsync("spiffe://cluster.local/ns/shop/sa/other");

        // Disposal is bounded by less than the request's own limit.
        await _rig.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(5));

        await Assert.ThrowsAsync<CertificateUnavailableException>(() => asked);
        Assert.Empty(_rig.Log.Lines(LogLevel.Warning));
    }

    [Fact]
    public async Task Authority_AskedForAPodOfAnotherNode_Refuses()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.Start();
        await _rig.SyncedAsync();

        CertificateUnavailableException told = await Assert.ThrowsAsync<CertificateUnavailableException>(() => _rig.GetCertificateAsync("spiffe://cluster.local/ns/shop/sa/elsewhere"));

        Assert.Equal("signing gRPC error (Unauthenticated): request impersonation authentication failure", told.Message);
    }

    [Fact]
    public async Task Root_Rotated_RenewalsTrustOldAndNewUntilTheOldRetires()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.With("SECRET_TTL", "2s").Start();
        await _rig.IssuedAsync();
        byte[] before = (await _rig.GetCertificateAsync()).Roots.Single().ToArray();

        istiod.Authority.RotateRoot();
        await _rig.IssuedAsync(times: _rig.Log.Count(LogLevel.Debug, "certificate fetch succeeded") + 2);
        WorkloadCertificate during = await _rig.GetCertificateAsync();
        istiod.Authority.RetireOldRoots();
        await _rig.IssuedAsync(times: _rig.Log.Count(LogLevel.Debug, "certificate fetch succeeded") + 2);
        WorkloadCertificate after = await _rig.GetCertificateAsync();

        Assert.Equal(2, during.Roots.Length);
        Assert.Contains(during.Roots, root => root.Span.SequenceEqual(before));
        Assert.False(Assert.Single(after.Roots).Span.SequenceEqual(before));
    }

    [Fact]
    public async Task Pods_GoneFromTheMesh_AreNotRenewed()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web", "cart");
        _rig.Start();
        await _rig.IssuedAsync(times: 2);

        istiod.Mesh = ControlRig.MeshOf("web");
        await _rig.WaitForGoneAsync("cart");

        Assert.Equal([null, true], _rig.Certificates.Snapshot().Select(static status => status.NextRequest is null ? null : (bool?)true));
    }

    [Fact]
    public async Task Pods_OutsideTheMesh_AreNotAskedFor()
    {
        _rig.With("LOCAL_XDS", """
            workloads:
            - {uid: "file//Pod/kube-system/agent", name: agent, namespace: kube-system, serviceAccount: agent, node: node-1, protocol: TCP, workloadIps: ["10.9.0.1"], services: {}}
            """);
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.Start();
        await _rig.SyncedAsync();
        await _rig.IssuedAsync();

        Assert.Equal(2, _rig.Mesh.Current.LocalWorkloads.Count());
        Assert.Equal(ControlRig.Web, Assert.Single(_rig.Certificates.Snapshot()).Identity.ToString());
    }
}
