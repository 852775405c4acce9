using Ztunnel.InPod.Tests.Zds;
using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.InPod;

/// <summary>Pods that do not start as they should: a port is taken, the control plane has not heard of them, they come and go under load; and an agent that breaks the protocol.</summary>
public sealed class PodStartTests
{
    private const string Success = "0a00";

    [NamespaceTheory]
    [InlineData(15008)]
    [InlineData(15006)]
    [InlineData(15001)]
    public async Task Add_PortInUseInThePod_IsRefusedWithItsNameAndStartsOnceItIsFree(int port)
    {
        await using InPodMesh mesh = await InPodMesh.CreateAsync();
        await using ScriptedAgent agent = ScriptedAgent.Open(mesh.Socket);
        mesh.Node.Start(mesh.Socket);
        await agent.AcceptAsync();
        TestProcess holder = mesh.Server.Namespace.Start(
            "/usr/bin/python3", "-c", $"import socket, time; held = socket.create_server(('', {port}), family=socket.AF_INET6, dualstack_ipv6=True); print('held', flush=True); time.sleep(600)");
        using (holder)
        {
            await holder.WaitForLineAsync(static line => line == "held");

            string error = await agent.AskForErrorAsync(ScriptedAgent.AddOf("uid-s", "server"), mesh.Server.Namespace.Path);

            Assert.StartsWith("failure to start proxy : ", error, StringComparison.Ordinal);
            Assert.Contains($":{port}", error, StringComparison.Ordinal);
            // All or nothing: a pod is not captured in part.
            Assert.Equal(port, Assert.Single(OwnPortsOf(mesh.Server)));
            // The other pods and the node do not wait for it.
            Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.AddOf("uid-c", "client"), mesh.Client.Namespace.Path));
            Assert.Equal(Success, await agent.CompleteSnapshotAsync());
            Assert.Equal("ready", mesh.Node.ReadReadiness());
        }

        Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.AddOf("uid-s", "server"), mesh.Server.Namespace.Path));
        Assert.Equal([15001, 15006, 15008], OwnPortsOf(mesh.Server));
    }

    /// <summary>The agent's word is enough to serve a pod: calls go out at once, with its identity to whoever is in the mesh. Nobody is let in before its record names its policies.</summary>
    [NamespaceFact]
    public async Task Add_RecordHasNotArrived_CallsOutAreServedAndCallersWait()
    {
        await using InPodMesh mesh = await InPodMesh.CreateAsync();
        mesh.WriteMesh(mesh.Server, mesh.Outsider);
        InPodMesh.Capture(mesh.Client);
        InPodMesh.Capture(mesh.Server);
        await using ScriptedAgent agent = ScriptedAgent.Open(mesh.Socket);
        mesh.Node.Start(mesh.Socket);
        await agent.AcceptAsync();
        Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.AddOf("uid-c", "client"), mesh.Client.Namespace.Path));
        Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.AddOf("uid-s", "server"), mesh.Server.Namespace.Path));
        Assert.Equal(Success, await agent.CompleteSnapshotAsync());

        Assert.Equal("hihi", await mesh.Client.RunAsync("send", mesh.Server.Address, 8080, "hi"));
        Assert.Equal("hihi", await mesh.Client.RunAsync("send", MeshFile.Vip, 80, "hi"));
        Assert.Equal("hihi", await mesh.Client.RunAsync("send", mesh.Outsider.Address, 8080, "hi"));

        await mesh.Node.Ztunnel.WaitForLineAsync(line => line.Contains("connection complete", StringComparison.Ordinal) && line.Contains("direction=\"inbound\"", StringComparison.Ordinal)
            && line.Contains($"src.identity=\"{mesh.Client.Identity}\"", StringComparison.Ordinal));
        Assert.Equal(2, mesh.Node.CountInbound("mutual_tls"));
        Assert.Equal(0, mesh.Node.CountInbound("unknown"));
        Task<string> early = mesh.Outsider.RunAsync("ask", mesh.Client.Address, 8080, "x");
        Assert.NotEqual("answer xx", await early);
        await mesh.Node.WaitForLogAsync("only the workload's record tells its policies");
    }

    /// <summary>A pod joins and leaves the mesh while it is called all the time (upstream's TestServiceDynamicEnroll asks for half of the calls; ours may only fail those that were open at a change).</summary>
    [NamespaceFact]
    public async Task Pod_EnrolledAndReleasedUnderLoad_CallsGoOn()
    {
        await using InPodMesh mesh = await InPodMesh.CreateAsync();
        TestPod unenrolled = mesh.UnenrolledServer;
        mesh.WriteMesh(mesh.Client, unenrolled, mesh.Outsider);
        InPodMesh.Capture(mesh.Client);
        await using ScriptedAgent agent = ScriptedAgent.Open(mesh.Socket);
        mesh.Node.Start(mesh.Socket);
        await agent.AcceptAsync();
        Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.AddOf("uid-c", "client"), mesh.Client.Namespace.Path));
        Assert.Equal(Success, await agent.CompleteSnapshotAsync());
        using TestProcess load = mesh.Client.Start("steady", mesh.Server.Address, 8080, "4");
        await load.WaitForLineAsync(static line => line == "running");
        using TestProcess outside = mesh.Outsider.Start("steady", mesh.Server.Address, 8080, "2");
        await outside.WaitForLineAsync(static line => line == "running");

        for (int round = 0; round < 2; round++)
        {
            // As the node agent and the control plane do: the pod is handed over, captured, and then said to be in the mesh; and back.
            Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.AddOf("uid-s", "server"), mesh.Server.Namespace.Path));
            InPodMesh.Capture(mesh.Server);
            mesh.WriteMesh(mesh.Client, mesh.Server, mesh.Outsider);
            await WaitForCallsAsync(mesh, tunnelled: true);
            mesh.WriteMesh(mesh.Client, unenrolled, mesh.Outsider);
            await WaitForCallsAsync(mesh, tunnelled: false);
            InPodMesh.Release(mesh.Server);
            Assert.Equal(Success, await agent.AskAsync(ScriptedAgent.DeleteOf("uid-s")));
            Assert.Equal("hihi", await mesh.Outsider.RunAsync("send", mesh.Server.Address, 8080, "hi"));
        }

        foreach (TestProcess caller in (TestProcess[])[load, outside])
        {
            caller.SendLine("");
            string result = await caller.WaitForLineAsync(static line => line.Contains(" ok", StringComparison.Ordinal));
            int[] counts = [.. result.Split(' ').Where(static word => int.TryParse(word, out _)).Select(int.Parse)];
            int failed = counts.Length > 1 ? counts[1] : 0;
            Assert.True(failed <= counts[0] / 10, result);
        }
    }

    /// <summary>A protocol error is in the log even when the process ends right after it; until then it serves on and connects anew.</summary>
    [NamespaceFact]
    public async Task ProtocolError_ThenExit_IsInTheLog()
    {
        await using InPodMesh mesh = await InPodMesh.CreateAsync();
        await using ScriptedAgent agent = ScriptedAgent.Open(mesh.Socket);
        mesh.Node.Start(mesh.Socket);
        await agent.AcceptAsync();
        Assert.Equal(Success, await agent.CompleteSnapshotAsync());

        string error = await agent.AskForErrorAsync(ScriptedAgent.KeepOf("uid-c"));
        mesh.Node.Ztunnel.Signal("TERM");
        CommandResult end = await Task.Run(() => mesh.Node.Ztunnel.WaitForEnd(TestCommand.Limit));

        Assert.Equal("failure to process message : ProtocolError(\"pod keep received after snapshot\")", error);
        Assert.Equal(0, end.ExitCode);
        Assert.Contains("failed to process message: ProtocolError(\"pod keep received after snapshot\")", end.Output, StringComparison.Ordinal);
        Assert.Contains("starting shutdown", end.Output, StringComparison.Ordinal);
    }

    // Twenty calls of the client more than there have been, each with a line when it ends.
    private static async Task WaitForCallsAsync(InPodMesh mesh, bool tunnelled)
    {
        bool IsOne(string line) => line.Contains("direction=\"inbound\"", StringComparison.Ordinal) && line.Contains($"src.addr={mesh.Client.Address}:", StringComparison.Ordinal)
            && line.Contains("src.identity", StringComparison.Ordinal) == tunnelled;
        int before = mesh.Node.Ztunnel.Output.Split('\n').Count(IsOne);
        int seen = 0;
        await mesh.Node.Ztunnel.WaitForLineAsync(line => IsOne(line) && ++seen >= before + 20);
    }

    private static int[] OwnPortsOf(TestPod pod) =>
    [
        .. pod.Namespace.Run("ss", "-Hlnt").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(static line => int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3].Split(':')[^1], System.Globalization.CultureInfo.InvariantCulture))
            .Where(static port => port is >= 15001 and <= 15008).Order(),
    ];
}
