using System.Net;
using System.Net.Sockets;
using System.Text;
using Ztunnel.Http2.Tests.Support;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Http2.Tests.Peers;

/// <summary>The nghttp2 programs: a plain client, a load generator, and a proxy that turns HTTP/1.1 CONNECT into ours and ours into HTTP/1.1.</summary>
public sealed class Nghttp2Tests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    [PeerFact(PeerPrograms.Nghttp)]
    public async Task Server_GetOfNghttp_Is400()
    {
        using Socket listener = Listen(out int port);
        using TestProcess client = TestProcess.Start(PeerPrograms.Nghttp, "-nv", "--no-dep", $"http://127.0.0.1:{port}/");
        using var endpoint = new SocketEndpoint(await listener.AcceptAsync().WaitAsync(Limit), Http2Role.Server, Http2Settings.ForServer);
        Assert.Null(await endpoint.RunAsync());

        string output = client.WaitForEnd(Limit).Output;
        Assert.Contains(":status: 400", output, StringComparison.Ordinal);
        Assert.Contains("SETTINGS_MAX_HEADER_LIST_SIZE(0x06):65536", output, StringComparison.Ordinal);
    }

    /// <summary>Thousands of requests, a hundred at a time, each with HPACK table references: every one is answered.</summary>
    [PeerFact(PeerPrograms.H2Load)]
    public async Task Server_LoadOfH2Load_IsAnsweredInFull()
    {
        using Socket listener = Listen(out int port);
        using TestProcess client = TestProcess.Start(PeerPrograms.H2Load, "-n", "20000", "-c", "1", "-m", "100", $"http://127.0.0.1:{port}/");

        // It looks at the protocol with a connection of its own first only when TLS is used: this is the one.
        using var endpoint = new SocketEndpoint(await listener.AcceptAsync().WaitAsync(Limit), Http2Role.Server, Http2Settings.ForServer);
        Assert.Null(await endpoint.RunAsync());

        string output = client.WaitForEnd(Limit).Output;
        Assert.Contains("20000 total, 20000 started, 20000 done", output, StringComparison.Ordinal);
        Assert.Contains("20000 4xx", output, StringComparison.Ordinal);
    }

    [PeerFact(PeerPrograms.NghttpX)]
    public async Task Server_ConnectThroughNghttpX_IsEchoed()
    {
        using Socket listener = Listen(out int backend);
        int frontend = FreePort();
        using TestProcess proxy = await StartProxyAsync(frontend, $"127.0.0.1,{backend};;proto=h2");
        using var application = new TcpClient();
        await application.ConnectAsync(IPAddress.Loopback, frontend);
        NetworkStream stream = application.GetStream();

        await stream.WriteAsync("CONNECT 10.0.0.2:8080 HTTP/1.1\r\nHost: 10.0.0.2:8080\r\n\r\n"u8.ToArray());
        using var endpoint = new SocketEndpoint(await listener.AcceptAsync().WaitAsync(Limit), Http2Role.Server, Http2Settings.ForServer);
        Task<string?> running = endpoint.RunAsync();
        Assert.StartsWith("HTTP/1.1 200", await ReadHeadAsync(stream), StringComparison.Ordinal);

        var content = new byte[300_000];
        new Random(3).NextBytes(content);
        Task writing = stream.WriteAsync(content).AsTask();
        var echo = new byte[content.Length];
        await stream.ReadExactlyAsync(echo).AsTask().WaitAsync(Limit);
        await writing;
        Assert.Equal(content, echo);

        application.Client.Shutdown(SocketShutdown.Both);
        endpoint.Shutdown();
        Assert.Null(await running.WaitAsync(Limit));
    }

    [PeerFact(PeerPrograms.NghttpX)]
    public async Task Client_ConnectThroughNghttpX_ReachesAnHttp1Proxy()
    {
        using Socket listener = Listen(out int backend);
        int frontend = FreePort();
        using TestProcess proxy = await StartProxyAsync(frontend, $"127.0.0.1,{backend}");
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, frontend);
        using var endpoint = new SocketEndpoint(socket, Http2Role.Client, Http2Settings.ForClient);
        Task<string?> running = endpoint.RunAsync();

        var content = new byte[300_000];
        new Random(4).NextBytes(content);
        Task<(int Status, bool SameBytes)> exchange = endpoint.ExchangeAsync("10.0.0.2:8080", content);
        using Socket accepted = await listener.AcceptAsync().WaitAsync(Limit);
        using var next = new NetworkStream(accepted);
        string head = await ReadHeadAsync(next);
        Assert.StartsWith("CONNECT 10.0.0.2:8080 HTTP/1.1\r\n", head, StringComparison.Ordinal);
        Assert.Contains("baggage: k8s.cluster.name=Kubernetes,", head, StringComparison.OrdinalIgnoreCase);
        await next.WriteAsync("HTTP/1.1 200 OK\r\n\r\n"u8.ToArray());
        await EchoAsync(next, content.Length);

        Assert.Equal((200, true), await exchange);
        endpoint.Shutdown();
        Assert.Null(await running.WaitAsync(Limit));
    }

    private static Socket Listen(out int port)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        return listener;
    }

    private static int FreePort()
    {
        using Socket socket = Listen(out int port);
        return port;
    }

    /// <summary>A forward proxy on clear text, one worker, no access log.</summary>
    private static async Task<TestProcess> StartProxyAsync(int frontend, string backend)
    {
        TestProcess proxy = TestProcess.Start(
            PeerPrograms.NghttpX, "--conf=/dev/null", "--http2-proxy", $"--frontend=127.0.0.1,{frontend};no-tls", $"--backend={backend}", "--workers=1", "--log-level=NOTICE", "--errorlog-file=/dev/stderr");
        await proxy.WaitForLineAsync(line => line.Contains("Listening on", StringComparison.OrdinalIgnoreCase));
        return proxy;
    }

    private static async Task<string> ReadHeadAsync(NetworkStream stream)
    {
        using var timeout = new CancellationTokenSource(Limit);
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(one, timeout.Token);
            head.Append((char)one[0]);
        }
        return head.ToString();
    }

    /// <summary>So many bytes and then FIN: this proxy does not pass our end of stream on while the answer runs.</summary>
    private static async Task EchoAsync(NetworkStream stream, int bytes)
    {
        using var timeout = new CancellationTokenSource(Limit);
        var buffer = new byte[16_384];
        while (bytes > 0)
        {
            int count = await stream.ReadAsync(buffer, timeout.Token);
            await stream.WriteAsync(buffer.AsMemory(0, count), timeout.Token);
            bytes -= count;
        }
        stream.Socket.Shutdown(SocketShutdown.Send);
    }
}
