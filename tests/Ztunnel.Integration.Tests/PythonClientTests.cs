using System.Globalization;
using Ztunnel.Integration.Tests.Network;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Integration.Tests;

/// <summary>Python's ssl and h2 as the client of our port 15008 (data-path 3, 5.1, 5.4): an implementation that shares no line with ours.</summary>
[Collection(InteropCollection.Name)]
public sealed class PythonClientTests(InteropMesh mesh)
{
    private const string Baggage = "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=app,service.name=app,service.version=v1";

    /// <summary>One large stream; many at once; windows of 1 KiB; frames as large as we advertise, and the largest that the peer may take.</summary>
    [NamespaceTheory]
    [InlineData(1, 3_000_000, 65_535, 16_384)]
    [InlineData(40, 100_000, 65_535, 16_384)]
    [InlineData(4, 30_000, 1_024, 16_384)]
    [InlineData(3, 3_000_000, 4_194_304, 1_048_576)]
    public async Task Connect_Streams_EchoEveryByte(int streams, int bytes, int window, int frame)
    {
        string[] lines = await mesh.RunClientAsync(Certificate(), "exchange", Text(streams), Text(bytes), Text(window), Text(frame));

        Assert.Equal($"server {mesh.Node.Member.Identity} TLSv1.3 h2", lines[0]);
        Assert.Equal($"same {streams} of {streams}", lines[1]);
        Assert.Equal($"baggage {Baggage}", lines[2]);
        string[] sizes = lines[3].Split(' ');
        // Ours may be cut by whatever the application had written; never above what the peer allows, and the peer uses what we allow.
        Assert.InRange(int.Parse(sizes[3], CultureInfo.InvariantCulture), 1, Math.Min(window, frame));
        // A stream's window begins moderate and grows while the stream uses it up: then the peer's frames are larger than the first window.
        if (frame == 1_048_576)
            Assert.InRange(int.Parse(sizes[1], CultureInfo.InvariantCulture), 262_145, 1_048_576);
        Assert.Equal("settings SETTINGS MAX_CONCURRENT_STREAMS=200 INITIAL_WINDOW_SIZE=262144 MAX_FRAME_SIZE=1048576 MAX_HEADER_LIST_SIZE=65536", lines[4]);
        Assert.Equal("first SETTINGS connection window WINDOW_UPDATE 0 16711681", lines[5]);
    }

    [NamespaceFact]
    public async Task HalfClose_OfEitherSide_LeavesTheOtherHalfOpen() => Assert.Equal(
        ["ours first: 8 bytes end", "theirs first: bye end", "late: late words", "at once: 0 bytes end"], await mesh.RunClientAsync(Certificate(), "half_close"));

    /// <summary>Status and what follows it (data-path 3.2–3.7); the connection survives all of them.</summary>
    [NamespaceFact]
    public async Task Refusals_AreStatusAndReset_AndTheConnectionLives()
    {
        string[] lines = await mesh.RunClientAsync(Certificate(), "refusals");

        Assert.Equal(
            [
                "other address: 400 end reset 0 None", "no port: 400 end reset 0 None", "unknown name: 503 end reset 0 None", "own port: 503 end reset 0 None",
                "denied: 401 end reset 0 None", "nobody listens: 503 end reset 0 None",
                "GET: 400 end None", "CONNECT with path: None reset 1 None",
            ],
            lines[..^1]);
        Assert.StartsWith("then: still alive port ", lines[^1], StringComparison.Ordinal);
        string port = lines[^1].Split(' ')[^1];
        string source = $"src.addr={mesh.Client.Address}:{port}";
        await mesh.Node.WaitForLogAsync(source, $"dst.hbone_addr={mesh.Node.Member.Address}:8080");
        Assert.Equal(1, mesh.Node.CountLog(source, "ip mismatch: 10.203.0.10 != 10.203.0.99", "reason=\"bad_request\""));
        Assert.Equal(1, mesh.Node.CountLog(source, "explicitly denied by: default/closed-port", "response_flags=\"DENY\""));
        Assert.Equal(1, mesh.Node.CountLog(source, "connection failed: Connection refused", "response_flags=\"CONNECT\""));
        Assert.Equal(1, mesh.Node.CountLog(source, "expected method CONNECT, got GET"));
    }

    [NamespaceFact]
    public async Task Resets_OfOneStream_LeaveTheOthers()
    {
        string[] lines = await mesh.RunClientAsync(Certificate(), "resets");

        Assert.StartsWith("second lives end port ", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("application reset:", lines[1], StringComparison.Ordinal);
        Assert.Equal("pong 1", lines[2]);
        await mesh.Node.WaitForLogAsync($"src.addr={mesh.Client.Address}:{lines[0].Split(' ')[^1]}", "stream_reset");
    }

    [NamespaceTheory]
    [InlineData("frame", "FRAME_SIZE_ERROR", 6)]
    [InlineData("headers", "COMPRESSION_ERROR", 9)]
    public async Task Violation_OfTheProtocol_EndsTheConnectionWithGoAway(string what, string name, int code)
    {
        string[] lines = await mesh.RunClientAsync(Certificate(), "raw", what);

        Assert.True(lines[^1].StartsWith($"['GOAWAY 1 {code} ", StringComparison.Ordinal), $"{name} expected: {string.Join(" / ", lines)}");
    }

    [NamespaceFact]
    public async Task Preface_OfHttp1_IsTheEnd() => Assert.Contains((await mesh.RunClientAsync(Certificate(), "bad_preface"))[0], (string[])["closed", "reset"]);

    private string Certificate() => mesh.Certify("client", mesh.Client.Identity);

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
