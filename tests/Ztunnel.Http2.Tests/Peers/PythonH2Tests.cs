using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Ztunnel.Http2.Tests.Support;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Http2.Tests.Peers;

/// <summary>An independent implementation in both roles: multiplexed echo with windows and frame sizes from tiny to large.</summary>
public sealed class PythonH2Tests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    [PeerTheory(PeerPrograms.Python, PeerPrograms.PythonH2)]
    [InlineData(1, 3_000_000, 65_535, 16_384)]
    [InlineData(40, 50_000, 65_535, 16_384)]
    [InlineData(5, 40_000, 1_000, 16_384)]
    [InlineData(4, 2_000_000, 4_194_304, 1_048_576)]
    public async Task Server_EchoesToPythonClient(int streams, int bytes, int window, int frame)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        int port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        using TestProcess client = TestProcess.Start(PeerPrograms.Python, PeerPrograms.Script("h2_client.py"), Text(port), Text(streams), Text(bytes), Text(window), Text(frame));

        using var endpoint = new SocketEndpoint(await listener.AcceptAsync().WaitAsync(Limit), Http2Role.Server, Http2Settings.ForServer);
        string? error = await endpoint.RunAsync();

        CommandResult result = client.WaitForEnd(Limit).EnsureSucceeded();
        Assert.Null(error);
        Assert.Equal("400 / 503 / None reset 1", result.Output.Trim().Replace("400 reset 0", "400", StringComparison.Ordinal).Replace("503 reset 0", "503", StringComparison.Ordinal));
    }

    [PeerTheory(PeerPrograms.Python, PeerPrograms.PythonH2)]
    [InlineData(1, 3_000_000, 65_535, 16_384)]
    [InlineData(30, 50_000, 65_535, 16_384)]
    [InlineData(5, 40_000, 1_000, 16_384)]
    [InlineData(4, 2_000_000, 4_194_304, 1_048_576)]
    public async Task Client_ExchangesWithPythonServer(int streams, int bytes, int window, int frame)
    {
        using TestProcess server = TestProcess.Start(PeerPrograms.Python, PeerPrograms.Script("h2_server.py"), Text(window), Text(frame), "100");
        int port = int.Parse(await server.WaitForLineAsync(line => line.Trim().Length > 0), CultureInfo.InvariantCulture);
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port);
        using var endpoint = new SocketEndpoint(socket, Http2Role.Client, Http2Settings.ForClient);
        Task<string?> running = endpoint.RunAsync();

        var random = new Random(1);
        Task<(int Status, bool SameBytes)>[] exchanges = [.. Enumerable.Range(0, streams).Select(_ =>
        {
            var content = new byte[bytes];
            random.NextBytes(content);
            return endpoint.ExchangeAsync("10.0.0.2:8080", content);
        })];
        Assert.All(await Task.WhenAll(exchanges), exchange => Assert.Equal((200, true), exchange));
        Assert.Equal(503, (await endpoint.ExchangeAsync("refuse:1", [])).Status);
        Assert.Equal((200, true), await endpoint.ExchangeAsync("10.0.0.2:8080", "still alive"u8.ToArray()));
        endpoint.Shutdown();

        string report = server.WaitForEnd(Limit).EnsureSucceeded().Output.Split('\n')[1];
        Assert.Equal($"{streams + 2} :method,:authority,baggage,forwarded,traceparent goaway 0", report);
        Assert.Null(await running.WaitAsync(Limit));
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
