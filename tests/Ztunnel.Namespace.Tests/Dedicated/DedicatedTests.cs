using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Dedicated;

/// <summary>Dedicated mode: who reaches whom, what a start needs, and how it ends (data-path 6.5, 10.1, 10.2).</summary>
public sealed class DedicatedTests(DedicatedMesh mesh) : IClassFixture<DedicatedMesh>
{
    [NamespaceFact]
    public async Task BothCaptured_IsHbone()
    {
        using TestProcess server = await mesh.StartReadyAsync(mesh.Server);

        Assert.Equal("answer hellohello", await mesh.Client.RunAsync("ask", mesh.Server.Address, 8080, "hello"));

        string mark = $"dst.hbone_addr={mesh.Server.Address}:8080 ";
        string outbound = await WaitForLogAsync(mesh.ClientZtunnel, "direction=\"outbound\"", mark);
        string inbound = await WaitForLogAsync(server, "direction=\"inbound\"", mark);
        foreach (string line in (string[])[outbound, inbound])
        {
            Assert.Contains($"src.identity=\"{mesh.Client.Identity}\"", line, StringComparison.Ordinal);
            Assert.Contains($"dst.identity=\"{mesh.Server.Identity}\"", line, StringComparison.Ordinal);
        }
    }

    [NamespaceFact]
    public async Task ServerUncaptured_IsPlain()
    {
        Assert.Equal("answer hellohello", await mesh.Client.RunAsync("ask", mesh.Outsider.Address, 8080, "hello"));

        Assert.DoesNotContain("identity", await WaitForLogAsync(mesh.ClientZtunnel, $"dst.addr={mesh.Outsider.Address}:8080"), StringComparison.Ordinal);
    }

    [NamespaceFact]
    public async Task ClientUncaptured_IsPlain()
    {
        using TestProcess server = await mesh.StartReadyAsync(mesh.Server);

        Assert.Equal("answer hellohello", await mesh.Outsider.RunAsync("ask", mesh.Server.Address, 8080, "hello"));

        Assert.DoesNotContain("identity", await WaitForLogAsync(server, $"dst.addr={mesh.Server.Address}:8080"), StringComparison.Ordinal);
    }

    /// <summary>A port that is taken ends the start, whole, with the port's name; nothing serves in part.</summary>
    [NamespaceTheory]
    [InlineData(15008)]
    [InlineData(15006)]
    [InlineData(15001)]
    [InlineData(15000)]
    public async Task Start_PortTaken_FailsAndNamesIt(int port)
    {
        using TestProcess holder = mesh.Server.Namespace.Start(
            "/usr/bin/python3", "-c", $"import socket, time; held = socket.create_server(('', {port}), family=socket.AF_INET6, dualstack_ipv6=True); print('held', flush=True); time.sleep(600)");
        await holder.WaitForLineAsync(static line => line == "held");
        using TestProcess ztunnel = mesh.Start(mesh.Server);

        CommandResult end = await Task.Run(() => ztunnel.WaitForEnd(TestCommand.Limit));

        Assert.NotEqual(0, end.ExitCode);
        Assert.Contains($":{port}", end.Error + end.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("marking server ready", end.Output, StringComparison.Ordinal);
    }

    [NamespaceFact]
    public async Task Signal_WithoutConnections_EndsAtOnceWithSuccess()
    {
        using TestProcess server = await mesh.StartReadyAsync(mesh.Server);

        server.Signal("TERM");

        Assert.Equal(0, (await Task.Run(() => server.WaitForEnd(TimeSpan.FromSeconds(4)))).ExitCode);
    }

    [NamespaceFact]
    public async Task QuitQuitQuit_AnswersAndEnds()
    {
        using TestProcess server = await mesh.StartReadyAsync(mesh.Server);

        Assert.Equal("200", mesh.Server.Namespace.Run("curl", "-sS", "--max-time", "5", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", "http://127.0.0.1:15000/quitquitquit").Trim());

        Assert.Equal(0, (await Task.Run(() => server.WaitForEnd(TimeSpan.FromSeconds(4)))).ExitCode);
    }

    /// <summary>A drain takes no new connection and waits for the open one, which works until its end.</summary>
    [NamespaceFact]
    public async Task Signal_OpenConnection_FinishesWhileNewOnesAreRefused()
    {
        using TestProcess server = await mesh.StartReadyAsync(mesh.Server, ("CONNECTION_TERMINATION_DEADLINE", "30s"));
        using TestProcess live = await HoldAsync();

        server.Signal("TERM");
        await server.WaitForLineAsync(static line => line.Contains("starting shutdown", StringComparison.Ordinal));

        // Until its listeners are gone a new connection may still be served.
        string outcome;
        do
            outcome = await mesh.Outsider.RunAsync("ask", mesh.Server.Address, 8080, "x");
        while (outcome == "answer xx");
        Assert.Contains("ConnectionRefusedError", outcome, StringComparison.Ordinal);
        Assert.Equal("reset", await mesh.Client.RunAsync("ask", mesh.Server.Address, 8081, "x"));
        live.SendLine("still");
        await live.WaitForLineAsync(static line => line == "answer stillstill");
        Assert.False(server.HasExited);

        live.Dispose();
        Assert.Equal(0, (await Task.Run(() => server.WaitForEnd(TestCommand.Limit))).ExitCode);
        Assert.DoesNotContain("error=", await WaitForLogAsync(mesh.ClientZtunnel, "bytes_sent=8 bytes_recv=16"), StringComparison.Ordinal);
    }

    /// <summary>What is still open at the deadline is reset: the application learns of it, both logs name the shutdown or its effect.</summary>
    [NamespaceFact]
    public async Task Signal_ConnectionOutlastsTheDeadline_IsResetAndTheProcessEnds()
    {
        using TestProcess server = await mesh.StartReadyAsync(mesh.Server, ("CONNECTION_TERMINATION_DEADLINE", "1s"));
        using TestProcess live = await HoldAsync();

        server.Signal("TERM");
        CommandResult end = await Task.Run(() => server.WaitForEnd(TestCommand.Limit));

        Assert.Equal(0, end.ExitCode);
        Assert.Contains("drain duration expired with pending connections, forcefully shutting down", end.Output, StringComparison.Ordinal);
        Assert.Contains("reason=\"drained\"", end.Output, StringComparison.Ordinal);
        live.SendLine("more");
        await live.WaitForLineAsync(static line => line is "ConnectionResetError" or "BrokenPipeError");
        await WaitForLogAsync(mesh.ClientZtunnel, $"dst.addr={mesh.Server.Address}:15008", "reason=\"stream_reset\"");
    }

    /// <summary>A log that nobody reads stops no traffic: lines are dropped instead.</summary>
    [NamespaceFact]
    public async Task Stdout_NobodyReads_TrafficGoesOn()
    {
        using TestProcess server = mesh.Start(mesh.Server, ["sh", "-c", "\"$@\" | sleep 600", "sh"]);
        await WaitUntilReadyAsync();

        // About half a kilobyte each: the pipe's 64 KiB are full long before the second thousand.
        for (int round = 0; round < 2; round++)
            Assert.Equal("1000 ok", await mesh.Client.RunAsync("parallel", mesh.Server.Address, 8080, "1000", TimeSpan.FromSeconds(60)));

        Assert.Equal("answer hellohello", await mesh.Client.RunAsync("ask", mesh.Server.Address, 8080, "hello"));
    }

    /// <summary>Without descriptors it accepts later instead of looping and logging, and recovers by itself.</summary>
    [NamespaceFact]
    public async Task Descriptors_UsedUp_RecoversByItselfWithoutAFlood()
    {
        using TestProcess server = mesh.Start(mesh.Server, ["prlimit", "--nofile=256:256"]);
        await server.WaitForLineAsync(static line => line.Contains("marking server ready", StringComparison.Ordinal));
        using (TestProcess crowd = mesh.Outsider.Start("crowd", mesh.Server.Address, 8080, "400"))
        {
            await crowd.WaitForLineAsync(static line => line == "connected");
            await server.WaitForLineAsync(static line => line.Contains("Too many open files", StringComparison.Ordinal));
        }

        Assert.Equal("answer hellohello", await mesh.Outsider.RunAsync("ask", mesh.Server.Address, 8080, "hello"));
        int complaints = server.Output.Split('\n').Count(static line => line.Contains("Failed TCP handshake", StringComparison.Ordinal));
        Assert.InRange(complaints, 1, 60);
    }

    /// <summary>Streams of a tunnel need descriptors for the application's side only: the first one without is refused, with the reason; what is open stays, and so does the tunnel.</summary>
    [NamespaceFact]
    public async Task Descriptors_UsedUpByStreams_RefusesWithResourceExhausted()
    {
        using TestProcess server = mesh.Start(mesh.Server, ["prlimit", "--nofile=256:256"]);
        await server.WaitForLineAsync(static line => line.Contains("marking server ready", StringComparison.Ordinal));
        using TestProcess live = await HoldAsync();
        using (TestProcess crowd = mesh.Client.Start("crowd", mesh.Server.Address, 8080, "400"))
        {
            await crowd.WaitForLineAsync(static line => line == "connected");
            await WaitForLogAsync(server, "reason=\"resource_exhausted\"", "direction=\"inbound\"", "Too many open files");
        }

        live.SendLine("two");
        await live.WaitForLineAsync(static line => line == "answer twotwo");
        Assert.Equal("answer hellohello", await mesh.Client.RunAsync("ask", mesh.Server.Address, 8080, "hello"));
        string scrape = await Task.Run(() => mesh.Server.Namespace.Run("curl", "-sS", "--max-time", "5", "http://127.0.0.1:15020/metrics"));
        Assert.True(TestNode.SumOf(scrape, "ztunnel_connections_ended_total", "reporter=\"destination\"", "reason=\"resource_exhausted\"", "fault=\"proxy\"") >= 1);
        string state = await Task.Run(() => mesh.Server.Namespace.Run("curl", "-sS", "--max-time", "5", "http://127.0.0.1:15000/debug/state"));
        Assert.Contains("\"reason\":\"resource_exhausted\"", state, StringComparison.Ordinal);
    }

    /// <summary>Threads can be told apart in top, perf and gdb.</summary>
    [NamespaceFact]
    public void Threads_OfTheLoops_HaveTheirNames()
    {
        string[] names = [.. Directory.GetDirectories($"/proc/{mesh.ClientZtunnel.Id}/task").Select(static task => File.ReadAllText(Path.Combine(task, "comm")).Trim())];

        Assert.Contains("ztunnel-0", names);
        Assert.Contains("ztunnel-1", names);
    }

    private async Task<TestProcess> HoldAsync()
    {
        TestProcess live = mesh.Client.Start("hold", mesh.Server.Address, 8080);
        live.SendLine("one");
        await live.WaitForLineAsync(static line => line == "answer oneone");
        return live;
    }

    private async Task WaitUntilReadyAsync()
    {
        using var limit = new CancellationTokenSource(TestCommand.Limit);
        while (!(await Task.Run(() => mesh.Server.Namespace.TryRun("curl", "-sSf", "--max-time", "5", "http://127.0.0.1:15021/healthz/ready"))).Succeeded)
            limit.Token.ThrowIfCancellationRequested();
    }

    private static Task<string> WaitForLogAsync(TestProcess ztunnel, params string[] parts) =>
        ztunnel.WaitForLineAsync(line => line.Contains("connection complete", StringComparison.Ordinal) && parts.All(part => line.Contains(part, StringComparison.Ordinal)));
}
