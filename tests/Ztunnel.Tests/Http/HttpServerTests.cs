using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.Http;
using Ztunnel.Http.Dump;
using Ztunnel.Lifetime;
using Ztunnel.Telemetry.Logging;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Tests.Http;

/// <summary>The three ports as clients see them; statuses, headers and texts are those the existing program was seen to give.</summary>
public sealed class HttpServerTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Readiness _readiness = new(TimeProvider.System, NullLoggerFactory.Instance);
    private readonly MetricRegistry _metrics = new(new MetricSettings { Loops = 1 }, TimeProvider.System);
    private readonly LogLevels _levels = new(LogFilter.Default);
    private readonly TaskCompletionSource _shutDown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HttpClient _client = new() { Timeout = Patience };
    private readonly int[] _ports = Ports.Free(3);
    private HttpServer _server = null!;

    private string Readiness => $"http://127.0.0.1:{_ports[0]}";

    private string Stats => $"http://127.0.0.1:{_ports[1]}";

    private string Admin => $"http://127.0.0.1:{_ports[2]}";

    public async Task InitializeAsync()
    {
        _metrics.AddBuild("1.2.3");
        _server = CreateServer();
        await _server.StartAsync(CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Readiness_WhilePending_NamesTasksInOrder()
    {
        _readiness.Await("workload proxy manager");
        _readiness.Await("state manager");

        using HttpResponseMessage answer = await _client.GetAsync(Readiness + "/healthz/ready");

        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.Equal("not ready, pending: state manager, workload proxy manager\n", await answer.Content.ReadAsStringAsync());
        Assert.Equal("text/plain", answer.Content.Headers.ContentType!.ToString());
    }

    [Fact]
    public async Task Readiness_NothingPending_IsReadyUntilATaskComesBack()
    {
        _readiness.Await("state manager");
        _readiness.Complete("state manager");
        Assert.Equal("ready\n", await _client.GetStringAsync(Readiness + "/healthz/ready"));

        _readiness.Await("workload proxy manager");
        using HttpResponseMessage answer = await _client.GetAsync(Readiness + "/healthz/ready");
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
    }

    [Theory]
    [InlineData("POST", "/healthz/ready", HttpStatusCode.MethodNotAllowed)]
    [InlineData("HEAD", "/healthz/ready", HttpStatusCode.MethodNotAllowed)]
    [InlineData("GET", "/", HttpStatusCode.NotFound)]
    public async Task Readiness_OtherRequests_AreRefusedWithoutBody(string method, string path, HttpStatusCode expected)
    {
        await AssertEmptyAsync(method, Readiness + path, expected);
    }

    [Theory]
    [InlineData("GET", "/metrics")]
    [InlineData("POST", "/stats/prometheus")]
    public async Task Stats_EitherPath_GivesTheScrape(string method, string path)
    {
        using HttpResponseMessage answer = await _client.SendAsync(new HttpRequestMessage(new HttpMethod(method), Stats + path));

        string body = await answer.Content.ReadAsStringAsync();
        Assert.Equal("# HELP istio_build Istio component build info.\n# TYPE istio_build gauge\nistio_build{component=\"ztunnel\",tag=\"1.2.3\"} 1\n# EOF\n", body);
        Assert.Equal("text/plain; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        Assert.Equal("accept-encoding", Assert.Single(answer.Headers.Vary));
        await AssertEmptyAsync("GET", Stats + "/nope", HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Stats_OpenMetricsAccepted_SaysSoAndNamesFamiliesItsWay()
    {
        _metrics.AddCounter(MetricGroup.Ztunnel, "ztunnel_test_bytes", "Bytes (unstable)", unit: "bytes").AddShared(5);
        using var request = new HttpRequestMessage(HttpMethod.Get, Stats + "/metrics");
        request.Headers.TryAddWithoutValidation("accept", "text/plain;q=1, application/openmetrics-text;version=0.0.1;q=0.1");
        using HttpResponseMessage answer = await _client.SendAsync(request);

        Assert.Equal(["application/openmetrics-text;charset=utf-8;version=1.0.0"], answer.Content.Headers.NonValidated["content-type"]);
        const string Sample = "ztunnel_test_bytes_total 5\n# EOF\n";
        Assert.EndsWith("# HELP ztunnel_test_bytes Bytes (unstable).\n# TYPE ztunnel_test_bytes counter\n# UNIT ztunnel_test_bytes bytes\n" + Sample, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        // Text: the family has the name of its samples, or readers take them for something untyped.
        Assert.EndsWith("# HELP ztunnel_test_bytes_total Bytes (unstable).\n# TYPE ztunnel_test_bytes_total counter\n" + Sample, await _client.GetStringAsync(Stats + "/metrics"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gzip", "gzip")]
    [InlineData("gzip, br, zstd", "gzip")]
    [InlineData("br;q=0.5", "br")]
    [InlineData("deflate", "deflate")]
    [InlineData("gzip;q=0, deflate", "deflate")]
    [InlineData("zstd", null)]
    public async Task Stats_EncodingAccepted_IsCompressed(string accepted, string? expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Stats + "/metrics");
        request.Headers.TryAddWithoutValidation("accept-encoding", accepted);
        using HttpResponseMessage answer = await _client.SendAsync(request);

        Assert.Equal(expected, answer.Content.Headers.ContentEncoding.SingleOrDefault());
        Stream body = await answer.Content.ReadAsStreamAsync();
        using var reader = new StreamReader(expected switch
        {
            "gzip" => new GZipStream(body, CompressionMode.Decompress),
            "br" => new BrotliStream(body, CompressionMode.Decompress),
            "deflate" => new ZLibStream(body, CompressionMode.Decompress),
            _ => body,
        });
        Assert.EndsWith("# EOF\n", await reader.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Logging_SequenceOfChanges_AnswersAsTheReference()
    {
        (string Query, HttpStatusCode Status, string Answer)[] steps =
        [
            ("", HttpStatusCode.OK, "hickory_server::server=off,info"),
            ("?level=debug", HttpStatusCode.OK, "hickory_server::server=off,debug"),
            ("?level=access=off", HttpStatusCode.OK, "hickory_server::server=off,access=off,debug"),
            ("?level=access", HttpStatusCode.BadRequest, "access"),
            ("?level=foo=bar", HttpStatusCode.BadRequest, "foo=bar"),
            ("?level=warn,h2=trace", HttpStatusCode.OK, "hickory_server::server=off,access=off,h2=trace,warn"),
            ("?reset", HttpStatusCode.OK, "hickory_server::server=off,info"),
            ("?reset=true&level=info,access=debug", HttpStatusCode.OK, "hickory_server::server=off,access=debug,info"),
            ("?level=", HttpStatusCode.OK, "hickory_server::server=off,access=debug,info"),
            ("?lvl=debug", HttpStatusCode.OK, "hickory_server::server=off,access=debug,info"),
            ("?level=info&reset", HttpStatusCode.OK, "hickory_server::server=off,info"),
            ("?level=access:debug,info", HttpStatusCode.OK, "hickory_server::server=off,access=debug,info"),
        ];
        foreach ((string query, HttpStatusCode status, string expected) in steps)
        {
            using HttpResponseMessage answer = await _client.PostAsync(Admin + "/logging" + query, null);
            string body = await answer.Content.ReadAsStringAsync();
            Assert.Equal(status, answer.StatusCode);
            if (status == HttpStatusCode.OK)
                Assert.Equal($"current log level is {expected}\n", body);
            else
                Assert.StartsWith($"Invalid level provided: {expected}\n", body, StringComparison.Ordinal);
        }

        Assert.Equal("current log level is hickory_server::server=off,access=debug,info\n", await _client.GetStringAsync(Admin + "/logging"));
        using HttpResponseMessage put = await _client.PutAsync(Admin + "/logging", null);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, put.StatusCode);
        Assert.StartsWith("Invalid HTTP method\n", await put.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task QuitQuitQuit_Posted_AnswersAndThenShutsDown()
    {
        await AssertEmptyAsync("GET", Admin + "/quitquitquit", HttpStatusCode.MethodNotAllowed);
        Assert.False(_shutDown.Task.IsCompleted);

        using HttpResponseMessage answer = await _client.PostAsync(Admin + "/quitquitquit", null);

        Assert.Equal("shutdown now\n", await answer.Content.ReadAsStringAsync());
        await _shutDown.Task.WaitAsync(Patience);
    }

    [Theory]
    [InlineData("/debug/pprof/heap/profiling", HttpStatusCode.OK, "heap profiling active: false\n")]
    [InlineData("/debug/pprof/heap/profiling?activate=maybe", HttpStatusCode.BadRequest, "invalid activate value \"maybe\"; expected true or false")]
    [InlineData("/config_dump", HttpStatusCode.OK, "{\n  \"a\": 1,\n  \"b\": [\n    true\n  ]\n}")]
    [InlineData("/fails", HttpStatusCode.NotFound, "")]
    public async Task Admin_Page_Answers(string path, HttpStatusCode status, string expected)
    {
        using HttpResponseMessage answer = await _client.GetAsync(Admin + path);

        Assert.Equal(status, answer.StatusCode);
        Assert.Equal(expected, await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Admin_Index_LinksEveryPage()
    {
        using HttpResponseMessage answer = await _client.GetAsync(Admin + "/");

        string page = await answer.Content.ReadAsStringAsync();
        Assert.Equal("text/html; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        Assert.All(["config_dump", "logging", "quitquitquit", "debug/pprof/profile", "debug/pprof/heap"], link => Assert.Contains($"<a href=\"{link}\">", page, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Request_HeadersNotFinished_IsCutAfterTwoSeconds()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _ports[2]);
        NetworkStream stream = client.GetStream();
        long started = TimeProvider.System.GetTimestamp();
        await stream.WriteAsync("GET /config_dump HTTP/1.1\r\nhost:"u8.ToArray());

        string answer = await new StreamReader(stream).ReadToEndAsync().WaitAsync(Patience);

        Assert.True(answer.Length == 0 || answer.StartsWith("HTTP/1.1 408 ", StringComparison.Ordinal), answer);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(9));
    }

    [Fact]
    public async Task Request_ClientClosesItsSide_IsAnswered()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _ports[0]);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync("GET /healthz/ready HTTP/1.1\r\nhost: x\r\n\r\n"u8.ToArray());
        client.Client.Shutdown(SocketShutdown.Send);

        string answer = await new StreamReader(stream).ReadToEndAsync().WaitAsync(Patience);

        Assert.StartsWith("HTTP/1.1 200 OK", answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nready\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_PortInUse_NamesThePort()
    {
        await using HttpServer second = CreateServer();

        StartException refused = await Assert.ThrowsAsync<StartException>(() => second.StartAsync(CancellationToken.None));

        Assert.StartsWith("readiness server starts\n\nCaused by:\n    Address already in use", refused.Message, StringComparison.Ordinal);
        Assert.Contains($"127.0.0.1:{_ports[0]}", refused.Message, StringComparison.Ordinal);
    }

    private HttpServer CreateServer()
    {
        var dump = new ConfigDump([new ListSection<bool>("b", static () => [true], static (json, item) => json.WriteBooleanValue(item)), new ValueSection("a", static json => json.WriteNumberValue(1))]);
        ILoggerFactory loggers = NullLoggerFactory.Instance;
        return new HttpServer(
            [
                new ReadinessPort([new IPEndPoint(IPAddress.Loopback, _ports[0])], _readiness),
                new StatsPort([new IPEndPoint(IPAddress.Loopback, _ports[1])], _metrics),
                new AdminPort([new IPEndPoint(IPAddress.Loopback, _ports[2])], _levels, () => _shutDown.TrySetResult(), dump, [], loggers),
            ],
            loggers);
    }

    private async Task AssertEmptyAsync(string method, string uri, HttpStatusCode expected)
    {
        using HttpResponseMessage answer = await _client.SendAsync(new HttpRequestMessage(new HttpMethod(method), uri));
        Assert.Equal(expected, answer.StatusCode);
        Assert.Equal("", await answer.Content.ReadAsStringAsync());
    }

    // Held together, so that they differ.
}
