using System.Globalization;
using System.Text.RegularExpressions;
using Ztunnel.Integration.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Integration.Tests;

/// <summary>Python's ssl and h2 as the proxy on the other side of our captured connections (data-path 2.8, 2.9, 5.1, 5.2, 5.4).</summary>
[Collection(InteropCollection.Name)]
public sealed partial class PythonServerTests(InteropMesh mesh)
{
    [NamespaceFact]
    public async Task Tunnel_FramesAndHeaders_AreAsSpecified()
    {
        using TestProcess server = await StartAsync(mesh.Echo);

        Assert.Equal("same", await InteropMesh.CallAsync(mesh.Node, mesh.Echo.Address, 8080, 100_000));
        Assert.Equal("same", await InteropMesh.CallAsync(mesh.Node, mesh.Echo.Address, 8080, 5));

        await server.WaitForLineAsync(static line => line.StartsWith("1 frame DATA 3 0 END_STREAM", StringComparison.Ordinal) || line.StartsWith("1 frame DATA 3 5 END_STREAM", StringComparison.Ordinal));
        string[] lines = InteropMesh.Lines(server.Output);
        Assert.DoesNotContain(lines, static line => line.StartsWith("sni", StringComparison.Ordinal) && line != "sni None");
        Assert.Contains($"1 tls {mesh.Node.Member.Identity} TLSv1.3 h2", lines);
        // Preface, SETTINGS, WINDOW_UPDATE and the first HEADERS leave in one flight, without waiting for the peer; SETTINGS ACK comes when it comes.
        Assert.Contains("1 first record preface SETTINGS WINDOW_UPDATE HEADERS", lines);
        string[] frames = [.. lines.Where(static line => line.StartsWith("1 frame ", StringComparison.Ordinal) && !line.EndsWith(" ACK", StringComparison.Ordinal)).Select(static line => line[8..])];
        Assert.Equal(
            ["preface", "SETTINGS ENABLE_PUSH=0 INITIAL_WINDOW_SIZE=262144 MAX_FRAME_SIZE=1048576 MAX_HEADER_LIST_SIZE=16384", "WINDOW_UPDATE 0 16711681"], frames[..3]);
        Assert.StartsWith("HEADERS 1 ", frames[3], StringComparison.Ordinal);
        Assert.DoesNotContain("END_STREAM", frames[3], StringComparison.Ordinal);
        string[] requests = [.. lines.Where(static line => line.StartsWith("1 request ", StringComparison.Ordinal))];
        Assert.Equal(2, requests.Length);
        foreach (string request in requests)
            Assert.Matches(ExpectedRequest(), request);

        string line = await mesh.Node.WaitForLogAsync($"dst.addr={mesh.Echo.Address}:15008", "direction=\"outbound\"", "bytes_sent=5 ");
        Assert.Contains($"dst.hbone_addr={mesh.Echo.Address}:8080", line, StringComparison.Ordinal);
        Assert.Contains($"dst.identity=\"{mesh.Echo.Identity}\"", line, StringComparison.Ordinal);
    }

    /// <summary>Many connections at once over one tunnel; windows of 1 KiB; frames of 1 MiB.</summary>
    [NamespaceTheory]
    [InlineData("echo", 65_535, 16_384, 20, 100_000)]
    [InlineData("small-window", 1_024, 16_384, 4, 30_000)]
    [InlineData("large-frame", 4_194_304, 1_048_576, 2, 4_000_000)]
    public async Task Connections_AtOnce_ShareATunnel(string name, int window, int frame, int connections, int bytes)
    {
        InteropMember member = name switch { "echo" => mesh.Echo, "small-window" => mesh.SmallWindow, _ => mesh.LargeFrame };
        using TestProcess server = await StartAsync(member, $"window={window}", $"frame={frame}");

        string[] outcomes = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => InteropMesh.CallAsync(mesh.Node, member.Address, 8080, bytes)));

        Assert.All(outcomes, static outcome => Assert.Equal("same", outcome));
        // What the server wrote may still be on its way to us.
        foreach (int stream in Enumerable.Range(0, connections).Select(static number => 1 + 2 * number))
            await server.WaitForLineAsync(line => line.StartsWith($"1 request {stream} ", StringComparison.Ordinal));
        string[] lines = InteropMesh.Lines(server.Output);
        Assert.Single(lines, static line => line.EndsWith(" accepted", StringComparison.Ordinal));
        int largest = lines.Where(static line => line.StartsWith("1 frame DATA", StringComparison.Ordinal)).Max(static line => int.Parse(line.Split(' ')[4], CultureInfo.InvariantCulture));
        Assert.InRange(largest, 1, Math.Min(window, frame));
    }

    [NamespaceFact]
    public async Task LimitOfOneStream_OpensASecondTunnel()
    {
        using TestProcess server = await StartAsync(mesh.OneStream, "streams=1");

        // The first tunnel learns of the limit with its first answer; the second connection comes after that.
        using TestProcess first = await InteropMesh.HoldAsync(mesh.Node, mesh.OneStream.Address, 8080);
        using TestProcess second = await InteropMesh.HoldAsync(mesh.Node, mesh.OneStream.Address, 8080);

        await server.WaitForLineAsync(static line => line.StartsWith("2 request ", StringComparison.Ordinal));
        string[] lines = InteropMesh.Lines(server.Output);
        Assert.Single(lines, static line => line.StartsWith("1 request ", StringComparison.Ordinal));
        Assert.Single(lines, static line => line.StartsWith("2 request ", StringComparison.Ordinal));
    }

    [NamespaceFact]
    public async Task GoAway_KeepsOpenConnections_AndTheNextTakesANewTunnel()
    {
        using TestProcess server = await StartAsync(mesh.Echo);

        using TestProcess held = await InteropMesh.HoldAsync(mesh.Node, mesh.Echo.Address, 8210);
        Assert.Equal("same", await InteropMesh.CallAsync(mesh.Node, mesh.Echo.Address, 8080, 1000));

        await server.WaitForLineAsync(static line => line.StartsWith("2 request ", StringComparison.Ordinal));
        string[] lines = InteropMesh.Lines(server.Output);
        Assert.Single(lines, static line => line.StartsWith("1 request ", StringComparison.Ordinal));
        Assert.Single(lines, static line => line.StartsWith("2 request ", StringComparison.Ordinal));
        Assert.DoesNotContain("1 eof", lines);
    }

    [NamespaceFact]
    public async Task Status_OfRefusal_ResetsTheApplication()
    {
        using TestProcess server = await StartAsync(mesh.Echo);

        Assert.Equal("reset", await InteropMesh.CallAsync(mesh.Node, mesh.Echo.Address, 8503, 5));
        Assert.Equal("reset", await InteropMesh.CallAsync(mesh.Node, mesh.Echo.Address, 8401, 5));

        await mesh.Node.WaitForLogAsync($"dst.hbone_addr={mesh.Echo.Address}:8503", "error=\"http status: 503 Service Unavailable\"", "reason=\"http_status\"");
        await mesh.Node.WaitForLogAsync($"dst.hbone_addr={mesh.Echo.Address}:8401", "error=\"http status: 401 Unauthorized\"");
        await server.WaitForLineAsync(static line => line == "1 reset 1 8");
        Assert.Equal("same", await InteropMesh.CallAsync(mesh.Node, mesh.Echo.Address, 8080, 5));
        Assert.Single(InteropMesh.Lines(server.Output), static line => line.EndsWith(" accepted", StringComparison.Ordinal));
    }

    /// <summary>Of two endpoints one always answers 503: every connection finds the other.</summary>
    [NamespaceFact]
    public async Task Status503_OfOneEndpoint_FailsOverToTheOther()
    {
        using TestProcess serving = await StartAsync(mesh.Echo);
        using TestProcess failing = await StartAsync(mesh.Failing);

        // One of the first tries goes to the failing endpoint with certainty only in the long run: sixteen coin tosses.
        string[] outcomes = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => InteropMesh.CallAsync(mesh.Node, InteropMesh.Vip, 80, 1000)));

        Assert.All(outcomes, static outcome => Assert.Equal("same", outcome));
        string[] refused = [.. InteropMesh.Lines(failing.Output).Where(static line => line.Contains(" request ", StringComparison.Ordinal))];
        Assert.NotEmpty(refused);
        Assert.All(refused, static line => Assert.Contains($";host={InteropMesh.Hostname}", line, StringComparison.Ordinal));
        string line = await mesh.Node.WaitForLogAsync($"dst.hbone_addr={mesh.Echo.Address}:8080", $"dst.service=\"{InteropMesh.Hostname}\"", "attempts=2");
        Assert.DoesNotContain("error=", line, StringComparison.Ordinal);
    }

    [NamespaceFact]
    public async Task Reset_OfTheStream_EndsTheConnectionOfTheApplication()
    {
        using TestProcess server = await StartAsync(mesh.Echo);

        Assert.Contains(await InteropMesh.CallAsync(mesh.Node, mesh.Echo.Address, 8202, 5), (string[])["reset", "0 of 5 bytes"]);

        await mesh.Node.WaitForLogAsync($"dst.hbone_addr={mesh.Echo.Address}:8202", "reason=\"stream_reset\"");
    }

    [NamespaceFact]
    public async Task Server_WithAnotherIdentity_IsRefusedWithAlert()
    {
        using TestProcess server = await mesh.StartServerAsync(mesh.Imposter, mesh.Certify("wrong", InteropMember.IdentityOf("somebody")));

        Assert.Equal("reset", await InteropMesh.CallAsync(mesh.Node, mesh.Imposter.Address, 8080, 5));

        await server.WaitForLineAsync(static line => line == "1 alert SSLV3_ALERT_CERTIFICATE_UNKNOWN");
        await mesh.Node.WaitForLogAsync(
            $"dst.addr={mesh.Imposter.Address}:15008",
            $"peer did not present the expected SAN ({mesh.Imposter.Identity}), got {InteropMember.IdentityOf("somebody")}",
            "reason=\"identity_rejected\"");
    }

    /// <summary>One peer accepts and never speaks TLS, one speaks HTTP/2 and never answers the CONNECT: both end at their limits, side by side.</summary>
    [NamespaceFact]
    public async Task Peers_ThatDoNotAnswer_AreGivenUpAtTheLimit()
    {
        using TestProcess mute = await mesh.StartServerAsync(mesh.Mute, mesh.Certify("mute", mesh.Mute.Identity), "mute");
        using TestProcess server = await StartAsync(mesh.Echo);
        long start = TimeProvider.System.GetTimestamp();

        Task<string> silentAnswer = InteropMesh.CallAsync(mesh.Node, mesh.Echo.Address, 8299, 5);
        Assert.Equal("reset", await InteropMesh.CallAsync(mesh.Node, mesh.Mute.Address, 8080, 5));
        Assert.InRange(TimeProvider.System.GetElapsedTime(start), TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(13));
        await mesh.Node.WaitForLogAsync($"dst.addr={mesh.Mute.Address}:15008", "reason=\"set_up_timed_out\"");

        // The connection to the application behind the other proxy may take 10 s, so this limit is longer.
        Assert.Equal("reset", await silentAnswer);
        Assert.InRange(TimeProvider.System.GetElapsedTime(start), TimeSpan.FromSeconds(14), TimeSpan.FromSeconds(18));
        await mesh.Node.WaitForLogAsync($"dst.hbone_addr={mesh.Echo.Address}:8299", "timed out waiting for the answer to CONNECT", "reason=\"set_up_timed_out\"");
        await server.WaitForLineAsync(static line => line == "1 reset 1 8");
    }

    private Task<TestProcess> StartAsync(InteropMember member, params string[] options) => mesh.StartServerAsync(member, mesh.Certify(member.Name, member.Identity), options);

    [GeneratedRegex("""^1 request \d :method=CONNECT\|:authority=10\.203\.0\.20:8080\|baggage=k8s\.cluster\.name=Kubernetes,k8s\.namespace\.name=default,k8s\.deployment\.name=app,service\.name=app,service\.version=v1\|forwarded=for="10\.203\.0\.10:\d+"\|traceparent=00-[0-9a-f]{32}-[0-9a-f]{16}-00$""")]
    private static partial Regex ExpectedRequest();
}
