using Ztunnel.InPod.Tests.Zds;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.InPod;

/// <summary>Pods come, stay and go as the node agent says; what is not said to be gone keeps its traffic.</summary>
public sealed class PodLifeTests
{
    private const string Success = "0a00";

    private static readonly string[] RecordedListeners =
    [
        "tcp LISTEN 128 *:15001 *:* fwmark:0x539 v6only:0",
        "tcp LISTEN 128 *:15006 *:* fwmark:0x539 v6only:0",
        "tcp LISTEN 128 *:15008 *:* fwmark:0x539 v6only:0",
    ];

    [NamespaceFact]
    public async Task Pod_AddedKeptAndDeleted_TrafficFollows()
    {
        await using InPodMesh mesh = await InPodMesh.CreateAsync();
        InPodMesh.Capture(mesh.Client);
        InPodMesh.Capture(mesh.Server);
        await using ScriptedAgent agent = ScriptedAgent.Open(mesh.Socket);
        mesh.Node.Start(mesh.Socket);
        await agent.AcceptAsync();

        // Add → sockets as recorded, traffic.
        Assert.Equal("not ready, pending: workload proxy manager", mesh.Node.ReadReadiness());
        Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.AddOf("uid-c", "client"), mesh.Client.Namespace.Path));
        Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.AddOf("uid-s", "server"), mesh.Server.Namespace.Path));
        Assert.Equal(Success, await agent.CompleteSnapshotAsync());
        await mesh.Node.WaitForLogAsync("marking server ready");
        Assert.Equal(RecordedListeners, ListenersOf(mesh.Server.Namespace));
        Assert.Equal("1", mesh.Server.Namespace.Run("sysctl", "-n", "net.ipv4.tcp_migrate_req").Trim());
        using TestProcess kept = mesh.Client.Start("hold", mesh.Server.Address, 8080);
        await AskAsync(kept, "one");

        // The agent goes: no longer ready, but traffic does not notice.
        await agent.CloseConnectionAsync();
        await mesh.Node.WaitForLogAsync("process stream ended with eof");
        await agent.AcceptAsync();
        Assert.Equal("not ready, pending: workload proxy manager", mesh.Node.ReadReadiness());
        await AskAsync(kept, "two");
        Assert.Equal("newnew", await mesh.Client.RunAsync("send", mesh.Server.Address, 8080, "new"));

        // A snapshot that adds one and keeps the other; both stay.
        Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.KeepOf("uid-c")));
        Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.AddOf("uid-s", "server"), mesh.Server.Namespace.Path));
        Assert.Equal(Success, await agent.CompleteSnapshotAsync());
        Assert.Equal("ready", mesh.Node.ReadReadiness());
        await AskAsync(kept, "three");

        // Deleted → cut, and nothing listens any more.
        Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.DeleteOf("uid-s")));
        await mesh.Node.WaitForLogAsync("shutdown complete");
        kept.SendLine("four");
        await kept.WaitForLineAsync(static line => line is "ConnectionResetError" or "BrokenPipeError");
        Assert.Empty(ListenersOf(mesh.Server.Namespace));

        // A snapshot that leaves the other out drops it.
        await agent.CloseConnectionAsync();
        await agent.AcceptAsync();
        Assert.Equal(RecordedListeners, ListenersOf(mesh.Client.Namespace));
        Assert.Equal(Success, await agent.CompleteSnapshotAsync());
        await mesh.Node.Ztunnel.WaitForLineAsync(static line => line.Contains("pod removed", StringComparison.Ordinal) && line.Contains("uid-c", StringComparison.Ordinal));
        Assert.Contains("refused", await mesh.Client.RunAsync("send", mesh.Outsider.Address, 8080, "x"), StringComparison.Ordinal);
    }

    [NamespaceFact]
    public async Task Metrics_OfZtunnelItself_AreScrapedThroughTheMesh()
    {
        await using InPodMesh mesh = await InPodMesh.CreateAsync();
        mesh.StartAgent();
        mesh.Node.Start(mesh.Socket);
        await mesh.Node.WaitForLogAsync("marking server ready");
        Assert.Contains("tcp LISTEN 128 *:15008 *:* v6only:0", ListenersOf(mesh.Node.Namespace));

        string scraped = await Task.Run(() => mesh.Client.Namespace.Run("curl", "-sS", "--max-time", "10", "http://10.213.0.4:15020/metrics"));

        Assert.Contains("# TYPE", scraped, StringComparison.Ordinal);
        string[] own = [.. scraped.Split('\n').Where(static line => line.StartsWith("istio_tcp_connections_opened_total{", StringComparison.Ordinal) && line.Contains("reporter=\"destination\"", StringComparison.Ordinal))];
        Assert.Contains("destination_workload=\"ztunnel\"", Assert.Single(own), StringComparison.Ordinal);
        Assert.Contains("destination_principal=\"spiffe://cluster.local/ns/default/sa/ztunnel\"", own[0], StringComparison.Ordinal);
        Assert.Contains("connection_security_policy=\"mutual_tls\"", own[0], StringComparison.Ordinal);
    }

    [NamespaceFact]
    public async Task Start_WithoutCapabilities_NamesThemAndTheManifestLine()
    {
        await using InPodMesh mesh = await InPodMesh.CreateAsync();

        CommandResult result = await Task.Run(() => TestCommand.Run(
            TimeSpan.FromSeconds(20), "env", "NODE_NAME=n", "XDS_ADDRESS=", "FAKE_CA=true", $"ZTUNNEL_FAKE_CA_ROOT={mesh.Socket}.root", $"INPOD_UDS={mesh.Socket}",
            "setpriv", "--bounding-set", "-sys_admin,-net_raw", Network.TestNode.Binary, "proxy"));

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("missing capabilities: NET_RAW, SYS_ADMIN", result.Error, StringComparison.Ordinal);
        Assert.Contains("add: [NET_ADMIN, SYS_ADMIN, NET_RAW]", result.Error, StringComparison.Ordinal);
    }

    private static async Task AskAsync(TestProcess connection, string text)
    {
        connection.SendLine(text);
        await connection.WaitForLineAsync(line => line == $"answer {text}{text}");
    }

    /// <summary>Our TCP listeners as the recording shows them, without queues and processes.</summary>
    private static string[] ListenersOf(TestNamespace where) =>
    [
        .. where.Run("ss", "-Hlntue").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(static fields => fields[0] == "tcp" && fields[4].Contains(":150", StringComparison.Ordinal) && fields[4] is not ("*:15020" or "*:15021") && !fields[4].EndsWith("15000", StringComparison.Ordinal) && !fields[4].EndsWith("15088", StringComparison.Ordinal))
            .Select(static fields => string.Join(' ', [.. fields[..2], fields[3], .. fields[4..6], .. fields[6..].Where(static field => field.StartsWith("fwmark", StringComparison.Ordinal) || field.StartsWith("v6only", StringComparison.Ordinal))]))
            .Order(StringComparer.Ordinal),
    ];
}
