using Microsoft.Extensions.Logging;
using Ztunnel.Istiod;
using Ztunnel.Istiod.Mesh;
using Ztunnel.Istiod.Program;
using Ztunnel.Istiod.Server;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.Tests.Control;

/// <summary>What goes wrong between us and istiod's discovery service, row by row of control-path 11: what the operator reads, what stays in force, and that it heals by itself.</summary>
public sealed class XdsFailureTests : IAsyncDisposable
{
    private readonly ControlRig _rig = new();

    public ValueTask DisposeAsync() => _rig.DisposeAsync();

    [Fact]
    public async Task Istiod_DownAtStart_NothingIsSyncedUntilItComes()
    {
        _rig.Start();
        await _rig.Log.WaitForAsync(LogLevel.Warning, "XDS client connection error: Unavailable", times: 2);
        Assert.False(_rig.Mesh.FirstSync.IsCompleted);

        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");

        await _rig.SyncedAsync();
        await _rig.IssuedAsync();
        Assert.Contains("istio_xds_connection_terminations_total{reason=\"ConnectionError\"}", _rig.Scrape(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Istiod_DownLater_LastStateServesOnAndTheDifferenceComesAfterwards()
    {
        await using (IstiodServer first = await _rig.StartIstiodAsync("web", "cart"))
        {
            _rig.Start();
            await _rig.SyncedAsync();
            await _rig.IssuedAsync(times: 2);
        }

        await _rig.Log.WaitForAsync(LogLevel.Warning, "XDS client connection error");
        Assert.Contains("ztunnel_xds_connected 0", _rig.Scrape(), StringComparison.Ordinal);
        Assert.True(_rig.Mesh.FirstSync.IsCompleted);
        Assert.Equal(2, _rig.Mesh.Current.WorkloadCount);
        Assert.NotNull(await _rig.GetCertificateAsync());

        // What went away meanwhile is removed, though nobody ever said so on this stream.
        await using IstiodServer second = await _rig.StartIstiodAsync("web", "front");
        await _rig.WaitForWorkloadAsync("front");
        await _rig.WaitForGoneAsync("cart");
        DeltaDiscoveryRequest request = await second.WaitForRequestAsync(static request => request.TypeUrl == MeshResources.AddressUrl);
        Assert.Contains("test//Pod/shop/web", request.InitialResourceVersions.Keys);
    }

    [Fact]
    public async Task RootFile_GoneWhileReconnecting_IsRetriedWithDelaysAndReadAgain()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.Start();
        await _rig.SyncedAsync();

        File.Delete(_rig.RootFile);
        istiod.Disconnect();
        await _rig.Log.WaitForAsync(LogLevel.Warning, $"root certificate file {_rig.RootFile} cannot be read", times: 3);
        int established = _rig.Log.Count(LogLevel.Information, "Stream established");
        _rig.WriteRoot(_rig.RootPem);

        await _rig.Log.WaitForAsync(LogLevel.Information, "Stream established", established + 1);
        // W-5: the reference asks thousands of times a second.
        Assert.True(_rig.Log.Count(LogLevel.Warning, "cannot be read") < 30);
    }

    [Fact]
    public async Task RootFile_MissingAtStart_IsNamedAndUsedWhenItComes()
    {
        File.Delete(_rig.RootFile);
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.Start();
        await _rig.Log.WaitForAsync(LogLevel.Warning, $"root certificate file {_rig.RootFile} cannot be read");

        _rig.WriteRoot(_rig.RootPem);

        await _rig.SyncedAsync();
    }

    [Fact]
    public async Task RootFile_OfAnother_RefusesTheServerAndSaysWhy()
    {
        _rig.WriteRoot(new ServerCertificates().RootPem);
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.Start();

        await _rig.Log.WaitForAsync(LogLevel.Warning, $"does not chain to root certificate file {_rig.RootFile}");
        Assert.Equal(0, istiod.OpenStreams);
        _rig.WriteRoot(_rig.RootPem);

        await _rig.SyncedAsync();
    }

    [Fact]
    public async Task Token_FileMissing_IsNamedAndUsedWhenItComes()
    {
        File.Delete(_rig.TokenFile);
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.Start();
        await _rig.Log.WaitForAsync(LogLevel.Warning, $"token file {_rig.TokenFile} cannot be read");

        _rig.WriteToken(_rig.Tokens.IssueForNode("node-1") + "\n");

        await _rig.SyncedAsync();
    }

    [Theory]
    [InlineData("expired", "authentication failure: the token has expired")]
    [InlineData("recycled", "authentication failure: the token was not issued here")]
    [InlineData("empty", "is empty")]
    public async Task Token_NoLongerGood_IsRefusedUntilTheFileIsRotated(string what, string expected)
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.Start();
        await _rig.SyncedAsync();

        if (what == "recycled") _rig.Tokens.Recycle();
        else _rig.WriteToken(what == "empty" ? "" : _rig.Tokens.IssueForNode("node-1", TimeSpan.FromMinutes(-1)));
        istiod.Disconnect();
        await _rig.Log.WaitForAsync(LogLevel.Warning, expected);
        int established = _rig.Log.Count(LogLevel.Information, "Stream established");
        _rig.WriteToken(_rig.Tokens.IssueForNode("node-1"));

        await _rig.Log.WaitForAsync(LogLevel.Information, "Stream established", established + 1);
        Assert.Equal(1, _rig.Mesh.Current.WorkloadCount);
    }

    [Theory]
    [InlineData(8, "rate limited", "ResourceExhausted")]
    [InlineData(14, "server is not ready to serve discovery information", "Unavailable")]
    [InlineData(7, "mismatched namespace", "PermissionDenied")]
    public async Task Istiod_Refusing_IsAskedAgainUntilItAgrees(int code, string message, string name)
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        istiod.Script.RefuseStreams = new Refusal(code, message);
        _rig.Start();
        await _rig.Log.WaitForAsync(LogLevel.Warning, $"XDS client connection error: {name}: {message}");

        istiod.Script.RefuseStreams = null;

        await _rig.SyncedAsync();
    }

    [Fact]
    public async Task Istiod_SilentThenSlow_IsWaitedFor()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        istiod.Script.Hold();
        istiod.Script.Delay = TimeSpan.FromMilliseconds(200);
        _rig.Start();
        await istiod.WaitForRequestAsync(static request => request.TypeUrl == MeshResources.AuthorizationUrl || request.TypeUrl == MeshResources.AddressUrl);
        Assert.False(_rig.Mesh.FirstSync.IsCompleted);

        istiod.Script.Release();

        await _rig.SyncedAsync();
    }

    [Fact]
    public async Task Istiod_WithholdingPolicies_IsNoFirstSync()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        istiod.Script.WithheldTypes.Add(MeshResources.AuthorizationUrl);
        _rig.Start();
        await _rig.WaitForWorkloadAsync("web");
        await istiod.WaitForRequestAsync(static request => request.TypeUrl == MeshResources.AddressUrl && request.ResponseNonce.Length > 0);
        // Addresses without the policies that guard them are not to be served.
        Assert.False(_rig.Mesh.FirstSync.IsCompleted);

        istiod.Script.WithheldTypes.Clear();
        istiod.Disconnect();

        await _rig.SyncedAsync();
    }

    [Fact]
    public async Task Istiod_SendingGarbageAtFirst_IsSyncedAndToldWhatWasWrong()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        istiod.Script.Tamper = ScriptCommands.AddGarbage;
        _rig.Start();

        // W-1: one bad resource keeps the reference down.
        await _rig.SyncedAsync();
        DeltaDiscoveryRequest nack = await istiod.WaitForRequestAsync(static request => request.ErrorDetail is not null);

        Assert.StartsWith("garbage: decode error", nack.ErrorDetail.Message, StringComparison.Ordinal);
        Assert.Equal(1, _rig.Mesh.Current.WorkloadCount);
        await _rig.Log.WaitForAsync(LogLevel.Error, "garbage: decode error");
        Assert.DoesNotContain("ztunnel_xds_rejected_resources_total 0", _rig.Scrape(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Istiod_SendingAnUnknownType_IsAckedAndGoesOn()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        istiod.Script.Tamper = static response =>
        {
            if (response.TypeUrl == MeshResources.AuthorizationUrl) response.TypeUrl = "type.googleapis.com/istio.unknown";
            return response;
        };
        _rig.Start();
        DeltaDiscoveryRequest ack = await istiod.WaitForRequestAsync(static request => request.TypeUrl.EndsWith("unknown", StringComparison.Ordinal));
        Assert.Null(ack.ErrorDetail);
        await _rig.Log.WaitForAsync(LogLevel.Error, "unknown type type.googleapis.com/istio.unknown");
        Assert.False(_rig.Mesh.FirstSync.IsCompleted);

        istiod.Script.Tamper = null;
        istiod.Disconnect();

        await _rig.SyncedAsync();
    }

    [Fact]
    public async Task Responses_DuplicatedAndReversed_GiveTheSameMesh()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        (istiod.Script.Duplicate, istiod.Script.Reverse) = (true, true);
        _rig.Start();
        await _rig.SyncedAsync();

        istiod.Mesh = ControlRig.MeshOf("cart", "front");

        await _rig.WaitForWorkloadAsync("front");
        await _rig.WaitForGoneAsync("web");
        Assert.Equal((2, 1, 1), (_rig.Mesh.Current.WorkloadCount, _rig.Mesh.Current.ServiceCount, _rig.Mesh.Current.PolicyCount));
    }

    [Fact]
    public async Task Stream_Recycled_IsReopenedAtOnceWithoutAWarning()
    {
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.Start();
        await _rig.SyncedAsync();

        istiod.Recycle();

        await _rig.Log.WaitForAsync(LogLevel.Information, "Stream established", times: 2);
        Assert.Empty(_rig.Log.Lines(LogLevel.Warning));
        Assert.Contains("istio_xds_connection_terminations_total{reason=\"Complete\"} 1", _rig.Scrape(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task LocalFile_BesideXds_IsLoadedFirstAndXdsMergesOnTop()
    {
        _rig.With("LOCAL_XDS", """
            workloads:
            - {uid: "file//Pod/shop/extra", name: extra, namespace: shop, serviceAccount: extra, node: node-2, workloadIps: ["10.9.0.1"], services: {}}
            """);
        _rig.Start();
        Assert.Equal(1, _rig.Mesh.Current.WorkloadCount);
        Assert.False(_rig.Mesh.FirstSync.IsCompleted);

        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");

        await _rig.SyncedAsync();
        Assert.Equal(2, _rig.Mesh.Current.WorkloadCount);
        Assert.Single(_rig.Sources.LocalFile.Workloads);
    }

    [Fact]
    public async Task OnDemand_Composed_FetchesAndRemembersWhatIsNotThere()
    {
        _rig.With("XDS_ON_DEMAND", "true");
        await using IstiodServer istiod = await _rig.StartIstiodAsync("web");
        _rig.Start();
        await _rig.SyncedAsync();
        Proxy.OnDemand.AddressFetcher fetch = _rig.Sources.AddressFetcher!;

        Assert.True(await fetch("/10.2.0.1", CancellationToken.None));
        Assert.NotNull(_rig.Mesh.Current.FindService("", System.Net.IPAddress.Parse("10.2.0.1"), null));
        // An answer all the same, and the second time without asking: the server would not answer again.
        Assert.True(await fetch("/192.0.2.1", CancellationToken.None));
        Assert.True(await fetch("/192.0.2.1", CancellationToken.None));
    }
}
