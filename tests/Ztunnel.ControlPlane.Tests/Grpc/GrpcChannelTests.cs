using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.ControlPlane.Grpc;
using Ztunnel.ControlPlane.Tests.Support;
using Ztunnel.Istiod.Server;
using Ztunnel.Protos.Citadel;
using Ztunnel.Testing.Logging;
using Ztunnel.Testing.Time;

namespace Ztunnel.ControlPlane.Tests.Grpc;

public sealed class GrpcChannelTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private static readonly GrpcMethod<IstioCertificateRequest, IstioCertificateResponse> Unary = new("test.Service", "Unary", IstioCertificateResponse.Parser);

    private readonly TestFolder _folder = new();
    private readonly CancellationTokenSource _limit = new(Limit);

    public void Dispose()
    {
        _limit.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Call_Answered_SendsWhatTheProtocolAsksFor()
    {
        Dictionary<string, string?> seen = [];
        await using GrpcServer server = await GrpcServer.StartAsync(async call =>
        {
            seen["path"] = call.Path;
            seen["method"] = call.Http.Request.Method;
            seen["protocol"] = call.Http.Request.Protocol;
            foreach (string name in new[] { "content-type", "te", "authorization", "clusterid", "grpc-timeout", "x-extra", "user-agent", "traceparent" }) seen[name] = call.Header(name);
            IstioCertificateRequest request = (await call.ReadAsync(IstioCertificateRequest.Parser))!;
            await call.WriteAsync(new IstioCertificateResponse { CertChain = { request.Csr, "root" } });
            call.End(0);
        });
        using GrpcChannel channel = Channel(Settings(server) with
        {
            Token = BearerToken.FromText("abc.def.ghi\n"),
            ClusterId = "east",
            Headers = [new("x-extra", "1"), new("authorization", "Basic no")],
        });

        IstioCertificateResponse answer = await channel.CallAsync(Unary, new IstioCertificateRequest { Csr = "csr" }, new GrpcCallOptions { Timeout = Limit }, _limit.Token);

        Assert.Equal(["csr", "root"], answer.CertChain);
        Assert.Equal(
            new Dictionary<string, string?>
            {
                ["path"] = "/test.Service/Unary",
                ["method"] = "POST",
                ["protocol"] = "HTTP/2",
                ["content-type"] = "application/grpc",
                ["te"] = "trailers",
                ["authorization"] = "Bearer abc.def.ghi",
                ["clusterid"] = "east",
                ["grpc-timeout"] = "10000m",
                ["x-extra"] = "1",
                ["user-agent"] = null,
                ["traceparent"] = null,
            },
            seen);
    }

    [Theory]
    [InlineData(7, "no%20pod", GrpcStatusCode.PermissionDenied, "no pod")]
    [InlineData(16, null, GrpcStatusCode.Unauthenticated, "")]
    [InlineData(99, "odd", GrpcStatusCode.Unknown, "status '99': odd")]
    [InlineData(0, null, GrpcStatusCode.Unimplemented, "one message was expected in the answer")]
    public async Task Call_TrailersOnly_IsTheStatus(int status, string? message, GrpcStatusCode code, string detail)
    {
        await using GrpcServer server = await GrpcServer.StartAsync(call =>
        {
            call.End(status, message);
            return Task.CompletedTask;
        });
        using GrpcChannel channel = Channel(Settings(server));

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(() => CallAsync(channel));

        Assert.Equal(new GrpcStatus(code, detail), error.Status);
    }

    [Fact]
    public async Task Call_StatusInTrailersAfterAMessage_Wins()
    {
        await using GrpcServer server = await GrpcServer.StartAsync(async call =>
        {
            await call.WriteAsync(new IstioCertificateResponse());
            call.End(13, "broke");
        });
        using GrpcChannel channel = Channel(Settings(server));

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(() => CallAsync(channel));

        Assert.Equal(new GrpcStatus(GrpcStatusCode.Internal, "broke"), error.Status);
    }

    [Theory]
    [InlineData(404, "text/plain", GrpcStatusCode.Unimplemented)]
    [InlineData(503, "text/plain", GrpcStatusCode.Unavailable)]
    [InlineData(200, "text/html", GrpcStatusCode.Unknown)]
    public async Task Call_ServerIsNoGrpc_IsSaid(int status, string type, GrpcStatusCode code)
    {
        await using GrpcServer server = await GrpcServer.StartAsync(async call =>
        {
            call.Http.Response.StatusCode = status;
            call.Http.Response.ContentType = type;
            await call.Http.Response.Body.WriteAsync(new byte[100], call.Aborted);
        });
        using GrpcChannel channel = Channel(Settings(server));

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(() => CallAsync(channel));

        Assert.Equal(code, error.Status.Code);
        Assert.Contains("instead of", error.Status.Detail);
    }

    [Fact]
    public async Task Call_NoAnswerInTime_IsDeadlineExceededAndTheServerSeesTheEnd()
    {
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously), aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using GrpcServer server = await GrpcServer.StartAsync(async call =>
        {
            call.Aborted.Register(aborted.SetResult);
            reached.SetResult();
            await aborted.Task;
        });
        var time = new ManualTimeProvider();
        using var channel = new GrpcChannel(Settings(server), time, NullLogger.Instance);

        Task<IstioCertificateResponse> calling = channel.CallAsync(Unary, new IstioCertificateRequest(), new GrpcCallOptions { Timeout = TimeSpan.FromMilliseconds(300) }, _limit.Token);
        await reached.Task.WaitAsync(Limit);
        time.Advance(TimeSpan.FromMilliseconds(300));
        GrpcException error = await Assert.ThrowsAsync<GrpcException>(() => calling);

        Assert.Equal(GrpcStatusCode.DeadlineExceeded, error.Status.Code);
        await aborted.Task.WaitAsync(Limit);
    }

    [Fact]
    public async Task Call_ManyOnOneChannel_UseOneConnection()
    {
        await using GrpcServer server = await GrpcServer.StartAsync(AnswerAsync);
        using GrpcChannel channel = Channel(Settings(server));

        await CallAsync(channel);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => CallAsync(channel)));

        Assert.Equal(1, server.Connections);
    }

    [Theory]
    [InlineData(null, "does not chain to the root certificates given as text")]
    [InlineData("SYSTEM", "does not chain to the system's trust store")]
    public async Task Call_RootsOfOthers_RefuseWithTheReason(string? roots, string expected)
    {
        await using GrpcServer server = await GrpcServer.StartAsync(AnswerAsync);
        using GrpcChannel channel = Channel(Settings(server) with { Roots = TrustRoots.Parse(roots ?? new ServerCertificates().RootPem) });

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(() => CallAsync(channel));

        Assert.Equal(GrpcStatusCode.Unavailable, error.Status.Code);
        Assert.Contains(expected, error.Status.Detail);
    }

    [Theory]
    [InlineData("istiod.istio-system.svc", null, false)]
    [InlineData("istiod.istio-system.svc", "istiod.istio-system.svc", true)]
    [InlineData("istiod.istio-system.svc", "other.svc", false)]
    [InlineData("127.0.0.1", "other.svc", true)]
    public async Task Call_ServerName_MustBeTheAddressOrTheAlternative(string inCertificate, string? alternative, bool accepted)
    {
        await using GrpcServer server = await GrpcServer.StartAsync(AnswerAsync);
        server.Certificate = server.Certificates.Issue(inCertificate);
        using GrpcChannel channel = Channel(Settings(server) with { AlternativeHostName = alternative });

        Exception? error = await Record.ExceptionAsync(() => CallAsync(channel));

        if (accepted) Assert.Null(error);
        else Assert.Contains("the server's certificate is not for 127.0.0.1", Assert.IsType<GrpcException>(error).Status.Detail);
    }

    [Fact]
    public async Task Call_ExpiredServer_IsRefused()
    {
        await using GrpcServer server = await GrpcServer.StartAsync(AnswerAsync);
        server.Certificate = server.Certificates.Issue(DateTimeOffset.UtcNow.AddMinutes(-1), "127.0.0.1");
        using GrpcChannel channel = Channel(Settings(server) with { AlternativeHostName = "127.0.0.1" });

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(() => CallAsync(channel));

        Assert.Contains("NotTimeValid", error.Status.Detail);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Call_ServerWithTls12Only_NeedsTheSetting(bool allowed)
    {
        await using GrpcServer server = await GrpcServer.StartAsync(AnswerAsync, SslProtocols.Tls12);
        using GrpcChannel channel = Channel(Settings(server) with { AllowTls12 = allowed });

        Exception? error = await Record.ExceptionAsync(() => CallAsync(channel));

        Assert.Equal(allowed, error is null);
    }

    [Fact]
    public async Task Call_RootFileReplaced_NewCallsTrustTheNewOne()
    {
        await using GrpcServer server = await GrpcServer.StartAsync(AnswerAsync);
        string path = _folder.Write("root.pem", server.Certificates.RootPem);
        using GrpcChannel channel = Channel(Settings(server) with { Roots = TrustRoots.Parse(path) });
        await CallAsync(channel);

        // As the kubelet does it: another file takes the name. One block of it is damaged, which must not harm the others.
        ServerCertificates rotated = new();
        server.Certificate = rotated.Issue("127.0.0.1");
        string next = _folder.Write("next.pem", $"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{server.Certificates.RootPem}\n{rotated.RootPem}\n");
        File.Move(next, path, overwrite: true);

        await CallAsync(channel);
        Assert.Equal(2, server.Connections);
    }

    [Fact]
    public async Task Call_RootFileGone_KeepsWhatItHad()
    {
        RecordingLogger log = new();
        await using GrpcServer server = await GrpcServer.StartAsync(AnswerAsync);
        string path = _folder.Write("root.pem", server.Certificates.RootPem);
        using GrpcChannel channel = new(Settings(server) with { Roots = TrustRoots.Parse(path) }, TimeProvider.System, log);
        await CallAsync(channel);

        File.Delete(path);
        await CallAsync(channel);

        Assert.Contains(log.Lines(LogLevel.Warning), line => line.Contains(path) && line.Contains("stay in use"));
    }

    [Fact]
    public async Task Call_RootFileAppearsLater_IsUsedThen()
    {
        await using GrpcServer server = await GrpcServer.StartAsync(AnswerAsync);
        string path = _folder.File("root.pem");
        using GrpcChannel channel = Channel(Settings(server) with { Roots = TrustRoots.Parse(path) });
        GrpcException missing = await Assert.ThrowsAsync<GrpcException>(() => CallAsync(channel));
        Assert.Contains($"root certificate file {path} cannot be read", missing.Status.Detail);

        _folder.Write("root.pem", server.Certificates.RootPem);

        await CallAsync(channel);
    }

    [Fact]
    public async Task Call_TokenFileRotated_SendsTheNewToken()
    {
        List<string?> tokens = [];
        await using GrpcServer server = await GrpcServer.StartAsync(call =>
        {
            tokens.Add(call.Header("authorization"));
            return AnswerAsync(call);
        });
        string path = _folder.Write("token", "one\n");
        using GrpcChannel channel = Channel(Settings(server) with { Token = BearerToken.Parse(path) });

        await CallAsync(channel);
        _folder.Write("token", "two");
        await CallAsync(channel);

        Assert.Equal(["Bearer one", "Bearer two"], tokens);
    }

    [Theory]
    [InlineData(null, "cannot be read")]
    [InlineData(" \n", "is empty")]
    [InlineData("one\ntwo", "holds characters that no token has")]
    public async Task Call_BadTokenFile_FailsNamingIt(string? content, string expected)
    {
        await using GrpcServer server = await GrpcServer.StartAsync(AnswerAsync);
        string path = content is null ? _folder.File("token") : _folder.Write("token", content);
        using GrpcChannel channel = Channel(Settings(server) with { Token = BearerToken.Parse(path) });

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(() => CallAsync(channel));

        Assert.Equal(GrpcStatusCode.Unauthenticated, error.Status.Code);
        Assert.Contains(path, error.Status.Detail);
        Assert.Contains(expected, error.Status.Detail);
        Assert.Equal(0, server.Connections);
    }

    [Fact]
    public async Task Call_NobodyListens_IsUnavailable()
    {
        using Socket taken = new(SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));   // bound, never listening
        using GrpcChannel channel = Channel(Unserved(taken));

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(() => CallAsync(channel));

        Assert.Equal(GrpcStatusCode.Unavailable, error.Status.Code);
        Assert.Contains("refused", error.Status.Detail);
    }

    [Fact]
    public async Task Call_NameWithSeveralAddresses_TriesTheNext()
    {
        // localhost is ::1 as well as 127.0.0.1 here; the server is on the second only.
        IPAddress[] addresses = await Dns.GetHostAddressesAsync("localhost", _limit.Token);
        await using GrpcServer server = await GrpcServer.StartAsync(AnswerAsync);
        using GrpcChannel channel = Channel(Settings(server) with { Address = new Uri($"https://localhost:{server.Port}"), AlternativeHostName = "127.0.0.1" });

        await CallAsync(channel);

        Assert.Contains(IPAddress.Loopback, addresses);
    }

    [Fact]
    public async Task Call_ServerNeverAnswersTls_EndsWithinTheConnectLimit()
    {
        using Socket silent = new(SocketType.Stream, ProtocolType.Tcp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        silent.Listen();
        using GrpcChannel channel = Channel(Unserved(silent) with { ConnectTimeout = TimeSpan.FromMilliseconds(300) });

        GrpcException error = await Assert.ThrowsAsync<GrpcException>(() => CallAsync(channel));

        Assert.Equal(GrpcStatusCode.Unavailable, error.Status.Code);
    }

    [Fact]
    public void Create_PlainHttp_IsRefused() => Assert.Throws<ArgumentException>(
        static () => Channel(new GrpcChannelSettings { Address = new Uri("http://localhost:1"), Roots = TrustRoots.Parse("SYSTEM") }));

    private static async Task AnswerAsync(GrpcCall call)
    {
        await call.ReadAsync(IstioCertificateRequest.Parser);
        await call.WriteAsync(new IstioCertificateResponse());
        call.End(0);
    }

    private async Task CallAsync(GrpcChannel channel) => await channel.CallAsync(Unary, new IstioCertificateRequest(), default, _limit.Token);

    private static GrpcChannelSettings Settings(GrpcServer server) => new() { Address = server.Address, Roots = TrustRoots.Parse(server.Certificates.RootPem) };

    private static GrpcChannelSettings Unserved(Socket socket) =>
        new() { Address = new Uri($"https://{socket.LocalEndPoint}"), Roots = TrustRoots.Parse(new ServerCertificates().RootPem) };

    private static GrpcChannel Channel(GrpcChannelSettings settings) => new(settings, TimeProvider.System, NullLogger.Instance);
}
