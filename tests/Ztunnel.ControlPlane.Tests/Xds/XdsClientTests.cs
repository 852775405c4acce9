using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Ztunnel.ControlPlane.Grpc;
using Ztunnel.ControlPlane.Tests.Support;
using Ztunnel.ControlPlane.Xds;
using Ztunnel.Istiod;
using Ztunnel.Istiod.Ads;
using Ztunnel.Istiod.Server;
using Ztunnel.Mesh.State;
using Ztunnel.Protos.Discovery;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing.Logging;
using static Ztunnel.ControlPlane.Tests.Xds.Resources;

namespace Ztunnel.ControlPlane.Tests.Xds;

public sealed class XdsClientTests : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly TestFolder _folder = new();
    private readonly RecordingLogger _log = new();
    private readonly MeshStore _store = new();
    private readonly MetricRegistry _registry = new(new MetricSettings { Loops = 1 }, TimeProvider.System);
    private XdsClient? _client;

    public async ValueTask DisposeAsync()
    {
        if (_client is not null) await _client.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Stream_Opens_WithBothRequestsAndWhoWeAre()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel with { Token = BearerToken.FromText("a.b.c"), ClusterId = "east", Headers = [new("x-team", "blue")] });

        XdsPeer stream = await istiod.AcceptAsync();
        (DeltaDiscoveryRequest address, DeltaDiscoveryRequest authorization) = await stream.ReceiveOpeningAsync();

        Assert.Equal(("Bearer a.b.c", "east", "blue"), (stream.Header("authorization"), stream.Header("clusterid"), stream.Header("x-team")));
        Assert.Equal((AddressUrl, AuthorizationUrl), (address.TypeUrl, authorization.TypeUrl));
        Assert.Equal("ztunnel~10.0.0.7~zt.istio-system~istio-system.svc.cluster.local", address.Node.Id);
        Assert.Equal(address.Node, authorization.Node);
        Assert.Empty(address.ResourceNamesSubscribe);
        Assert.Empty(address.InitialResourceVersions);
    }

    [Fact]
    public async Task FirstSync_NeedsBothTypesAnswered_EvenWhenOneIsPartlyBad()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel);
        XdsPeer stream = await OpenAsync(istiod);

        DeltaDiscoveryRequest nack = await stream.ExchangeAsync(Addresses(Workload("good", "10.0.0.1"), BadWorkload("bad")));
        Assert.False(_store.FirstSync.IsCompleted);
        DeltaDiscoveryRequest ack = await stream.ExchangeAsync(Policies());
        await _store.FirstSync.WaitAsync(Limit);

        Assert.Equal(new Status { Code = 3, Message = "bad: failed to parse address, had 5 bytes" }, nack.ErrorDetail);
        Assert.Null(ack.ErrorDetail);
        Assert.NotNull(Find("10.0.0.1"));
        Assert.Contains(_log.Lines(LogLevel.Error), static line => line.Contains("bad: failed to parse address, had 5 bytes"));
        Assert.Equal(1, _client!.Status.Nacks);
    }

    [Fact]
    public async Task Stream_EndedByTheServer_IsReopenedWithWhatIsHeld()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel);
        XdsPeer first = await OpenAsync(istiod);
        await first.ExchangeAsync(Addresses(Workload("a", "10.0.0.1", "v1"), BadWorkload("bad", "v2"), Service("cart", "10.1.0.1", "v3")));
        await first.ExchangeAsync(Policies(Policy("p")));

        first.End();
        XdsPeer second = await istiod.AcceptAsync();
        (DeltaDiscoveryRequest address, DeltaDiscoveryRequest authorization) = await second.ReceiveOpeningAsync();

        Assert.Equal(new Dictionary<string, string> { ["a"] = "v1", ["shop/cart"] = "v3" }, address.InitialResourceVersions);
        Assert.Equal(new Dictionary<string, string> { ["shop/p"] = "" }, authorization.InitialResourceVersions);
        Assert.NotNull(Find("10.0.0.1"));

        await second.ExchangeAsync(RemovedAddresses("a"));
        Assert.Null(Find("10.0.0.1"));
        Assert.Contains("istio_xds_connection_terminations_total{reason=\"Complete\"} 1", Scrape());
    }

    [Theory]
    [InlineData("abort", "Error")]
    [InlineData("unavailable", "Error")]
    [InlineData("goaway", "Reconnect")]
    [InlineData("unknown", "Reconnect")]
    public async Task Stream_Broken_KeepsTheMeshAndReconnects(string how, string reason)
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel);
        XdsPeer first = await OpenAsync(istiod);
        await first.ExchangeAsync(Addresses(Workload("a", "10.0.0.1")));

        if (how == "abort") first.Abort();
        else first.End(how == "unknown" ? 2 : 14, how == "goaway" ? "error reading: received prior goaway: code: NO_ERROR" : "caches not synced");
        XdsPeer second = await istiod.AcceptAsync();

        Assert.Contains("a", (await second.ReceiveOpeningAsync()).Address.InitialResourceVersions.Keys);
        Assert.NotNull(Find("10.0.0.1"));
        Assert.Contains($"istio_xds_connection_terminations_total{{reason=\"{reason}\"}} 1", Scrape());
    }

    [Fact]
    public async Task Server_DownAtStart_IsReachedWhenItComes()
    {
        int port = FreePort();
        ServerCertificates certificates = new();
        Start(new GrpcChannelSettings { Address = new Uri($"https://127.0.0.1:{port}"), Roots = TrustRoots.Parse(certificates.RootPem) });
        await _log.WaitForAsync(LogLevel.Warning, "XDS client connection error: Unavailable");
        Assert.False(_store.FirstSync.IsCompleted);

        await using IstiodServer istiod = await new IstiodServer().StartAsync(port, certificates);
        XdsPeer stream = await OpenAsync(istiod);
        await stream.ExchangeAsync(Addresses());
        await stream.ExchangeAsync(Policies());

        await _store.FirstSync.WaitAsync(Limit);
    }

    [Fact]
    public async Task RootFile_WrongThenRight_IsReadForEachAttempt()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        string roots = _folder.Write("root.pem", new ServerCertificates().RootPem);
        Start(istiod.Channel with { Roots = TrustRoots.Parse(roots) });
        await _log.WaitForAsync(LogLevel.Warning, $"does not chain to root certificate file {roots}");

        _folder.Write("root.pem", istiod.Server.Certificates.RootPem);

        await OpenAsync(istiod);
    }

    [Fact]
    public async Task TokenFile_AppearsLater_IsUsed()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        string token = _folder.File("token");
        Start(istiod.Channel with { Token = BearerToken.Parse(token) });
        await _log.WaitForAsync(LogLevel.Warning, $"token file {token} cannot be read");

        _folder.Write("token", "x.y.z\n");

        XdsPeer stream = await istiod.AcceptAsync();
        Assert.Equal("Bearer x.y.z", stream.Header("authorization"));
    }

    [Fact]
    public async Task Server_RefusingTheToken_IsReportedWithAHint()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel);

        (await istiod.AcceptAsync()).End(16, "authentication failure");

        await _log.WaitForAsync(LogLevel.Warning, "XDS client connection error: Unauthenticated: authentication failure, retrying in");
        Assert.Contains(_log.Lines(LogLevel.Warning), static line => line.Contains("the control plane refused our token"));
        await istiod.AcceptAsync();
    }

    [Fact]
    public async Task Server_ThatSaysNothing_IsLeft()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel, settings => settings with { FirstResponseTimeout = TimeSpan.FromMilliseconds(300) });
        XdsPeer silent = await OpenAsync(istiod);

        await silent.Over.WaitAsync(Limit);

        await OpenAsync(istiod);
        Assert.Contains(_log.Lines(LogLevel.Warning), static line => line.Contains("no response within 0.3 s"));
    }

    [Fact]
    public async Task Response_AboveTheLimit_EndsTheStreamAndTheNextOneServes()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel with { MaxMessageBytes = 1000 });
        XdsPeer first = await OpenAsync(istiod);
        await first.ExchangeAsync(Addresses(Workload("a", "10.0.0.1")));

        await first.SendAsync(Addresses(Workload(new string('x', 2000), "10.0.0.2")));

        await _log.WaitForAsync(LogLevel.Warning, "XDS client error: OutOfRange");
        XdsPeer second = await OpenAsync(istiod);
        await second.ExchangeAsync(Addresses(Workload("b", "10.0.0.2")));
        Assert.Equal((true, true), (Find("10.0.0.1") is not null, Find("10.0.0.2") is not null));
    }

    [Fact]
    public async Task Server_ThatTakesNoLargeRequest_GetsNoNamesAndItsFullAnswerIsTheTruth()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel);
        XdsPeer first = await OpenAsync(istiod);
        await first.ExchangeAsync(Addresses(Workload("a", "10.0.0.1", "1"), Workload("b", "10.0.0.2", "2")));
        await first.ExchangeAsync(Policies(Policy("p")));
        first.End();

        (await OpenAsync(istiod)).End(8, "grpc: received message larger than max (4200000 vs. 4194304)");
        XdsPeer third = await istiod.AcceptAsync();
        (DeltaDiscoveryRequest address, DeltaDiscoveryRequest authorization) = await third.ReceiveOpeningAsync();
        Assert.Empty(address.InitialResourceVersions);
        await third.ExchangeAsync(Addresses(Workload("b", "10.0.0.2", "2"), Workload("c", "10.0.0.3", "3")));

        Assert.Equal((false, true, true), (Find("10.0.0.1") is not null, Find("10.0.0.2") is not null, Find("10.0.0.3") is not null));
        Assert.Equal(["shop/p"], authorization.InitialResourceVersions.Keys);   // the smaller request cannot have been the one
        Assert.Equal(1, _store.Current.PolicyCount);
    }

    [Fact]
    public async Task Response_OfUnknownType_IsAckedAndChangesNothing()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel);
        XdsPeer stream = await OpenAsync(istiod);

        DeltaDiscoveryRequest answer = await stream.ExchangeAsync(new DeltaDiscoveryResponse { TypeUrl = "type.googleapis.com/other", Nonce = "n" });

        Assert.Null(answer.ErrorDetail);
        Assert.Contains("unknown type type.googleapis.com/other", _log.Lines(LogLevel.Error));
        Assert.False(_store.FirstSync.IsCompleted);
    }

    [Fact]
    public async Task OnDemand_ManyAskForOneName_OneRequestAnswersAll()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel, static settings => settings with { OnDemand = true });
        XdsPeer stream = await istiod.AcceptAsync();
        (DeltaDiscoveryRequest address, DeltaDiscoveryRequest authorization) = await stream.ReceiveOpeningAsync();
        Assert.Equal((["*"], ["*"]), (address.ResourceNamesSubscribe, address.ResourceNamesUnsubscribe));
        Assert.Empty(authorization.ResourceNamesSubscribe);
        await stream.ExchangeAsync(Addresses());
        await stream.ExchangeAsync(Policies());
        await _store.FirstSync.WaitAsync(Limit);

        Task<OnDemandOutcome>[] waiters = [.. Enumerable.Range(0, 5).Select(_ => _client!.FetchAsync("/10.0.0.1", CancellationToken.None).AsTask())];
        DeltaDiscoveryRequest ask = await stream.ReceiveAsync();
        Resource answer = Workload("uid", "10.0.0.1", "v");
        answer.Aliases.Add("/10.0.0.1");
        await stream.ExchangeAsync(Addresses(answer));

        Assert.Equal(new DeltaDiscoveryRequest { TypeUrl = AddressUrl, ResourceNamesSubscribe = { "/10.0.0.1" } }, ask);
        Assert.All(await Task.WhenAll(waiters).WaitAsync(Limit), static outcome => Assert.Equal(OnDemandOutcome.Found, outcome));
        Assert.NotNull(Find("10.0.0.1"));
        Assert.Equal(OnDemandOutcome.Found, await _client!.FetchAsync("/10.0.0.1", CancellationToken.None));
    }

    [Fact]
    public async Task OnDemand_NoAnswer_IsUnknownAndAskedAgainOnTheNextStream()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel, static settings => settings with { OnDemand = true, OnDemandTimeout = TimeSpan.FromMilliseconds(200) });
        XdsPeer first = await OpenAsync(istiod);
        await first.ExchangeAsync(Addresses());

        Assert.Equal(OnDemandOutcome.Unknown, await _client!.FetchAsync("/10.9.9.9", CancellationToken.None));
        await first.ReceiveAsync();
        first.End();
        XdsPeer second = await istiod.AcceptAsync();
        Assert.Equal(new Dictionary<string, string> { ["/10.9.9.9"] = "" }, (await second.ReceiveOpeningAsync()).Address.InitialResourceVersions);
        await second.ExchangeAsync(RemovedAddresses("/10.9.9.9"));

        Assert.Equal(OnDemandOutcome.Absent, await _client.FetchAsync("/10.9.9.9", CancellationToken.None));
    }

    [Fact]
    public async Task OnDemand_ResourceBehindAnAddressGone_AddressCanBeAskedForAgain()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel, static settings => settings with { OnDemand = true });
        XdsPeer stream = await OpenAsync(istiod);
        Task<OnDemandOutcome> fetch = _client!.FetchAsync("/10.0.0.1", CancellationToken.None).AsTask();
        await stream.ReceiveAsync();
        Resource pod = Workload("pod-1", "10.0.0.1");
        pod.Aliases.Add("/10.0.0.1");
        await stream.ExchangeAsync(Addresses(pod));
        Assert.Equal(OnDemandOutcome.Found, await fetch.WaitAsync(Limit));

        await stream.ExchangeAsync(RemovedAddresses("pod-1"));
        Assert.Equal(["/10.0.0.1"], (await stream.ReceiveAsync()).ResourceNamesUnsubscribe);
        Task<OnDemandOutcome> again = _client.FetchAsync("/10.0.0.1", CancellationToken.None).AsTask();

        Assert.Equal(["/10.0.0.1"], (await stream.ReceiveAsync()).ResourceNamesSubscribe);
        await stream.ExchangeAsync(RemovedAddresses("/10.0.0.1"));
        Assert.Equal(OnDemandOutcome.Absent, await again.WaitAsync(Limit));
    }

    [Fact]
    public async Task Metrics_CountResponsesAndState()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel);
        _client!.Status.Register(_registry);
        XdsPeer stream = await OpenAsync(istiod);
        Resource workload = Workload("a");

        await stream.ExchangeAsync(Addresses(workload, BadWorkload("b")));
        await stream.ExchangeAsync(Policies(Policy("p")));

        string scrape = Scrape();
        Assert.Contains($"istio_xds_message_total{{url=\"{AddressUrl}\"}} 1", scrape);
        Assert.Contains("ztunnel_xds_connected 1", scrape);
        Assert.Contains("ztunnel_xds_nacks_total{type=\"address\"} 1", scrape);
        Assert.Contains("ztunnel_xds_nacks_total{type=\"authorization\"} 0", scrape);
        Assert.Contains("ztunnel_xds_apply_duration_seconds_count 2", scrape);
        Assert.Contains("ztunnel_xds_rejected_resources_total 1", scrape);
        Assert.Contains("ztunnel_xds_resources{type=\"address\"} 1", scrape);
        Assert.Contains("ztunnel_xds_resources{type=\"authorization\"} 1", scrape);
    }

    [Fact]
    public async Task Dispose_WithAnOpenStream_EndsIt()
    {
        await using IstiodServer istiod = await new IstiodServer().StartAsync();
        Start(istiod.Channel);
        XdsPeer stream = await OpenAsync(istiod);

        await _client!.DisposeAsync().AsTask().WaitAsync(Limit);
        _client = null;

        await stream.Over.WaitAsync(Limit);
    }

    private void Start(GrpcChannelSettings channel, Func<XdsClientSettings, XdsClientSettings>? change = null)
    {
        XdsClientSettings settings = new()
        {
            Channel = channel,
            Node = new XdsNodeSettings { InstanceIp = "10.0.0.7", PodName = "zt", PodNamespace = "istio-system", NodeName = "node-1" },
        };
        _client = new XdsClient(change?.Invoke(settings) ?? settings, _store, new XdsMetrics(_registry), TimeProvider.System, _log);
        _client.Start();
    }

    private static async Task<XdsPeer> OpenAsync(IstiodServer istiod)
    {
        XdsPeer stream = await istiod.AcceptAsync();
        await stream.ReceiveOpeningAsync();
        return stream;
    }

    private Ztunnel.Mesh.Model.Workload? Find(string ip) => _store.Current.FindWorkload("", IPAddress.Parse(ip));

    private string Scrape()
    {
        ArrayBufferWriter<byte> output = new();
        _registry.Write(output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private static int FreePort()
    {
        using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
