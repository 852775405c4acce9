using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.InPod;

/// <summary>A new ztunnel takes the ports over while the old one drains, under a load of new connections: nobody is refused, nobody reset.</summary>
public sealed class UpgradeTests
{
    [NamespaceFact]
    public async Task SecondProcess_TakesOver_WhileTheFirstDrains()
    {
        await using InPodMesh mesh = await InPodMesh.CreateAsync();
        mesh.StartAgent();
        mesh.Node.Start(mesh.Socket);
        await mesh.Node.WaitForLogAsync("marking server ready");
        using TestProcess load = mesh.Client.Start("steady", mesh.Server.Address, 8080, "4");
        await load.WaitForLineAsync(static line => line == "running");
        using TestProcess old = mesh.Client.Start("hold", mesh.Server.Address, 8080);
        await AskAsync(old, "before");

        InPodNode next = mesh.AddNode();
        next.Start(mesh.Socket);
        await next.WaitForLogAsync("marking server ready");
        mesh.Node.Ztunnel.Signal("TERM");
        await mesh.Node.WaitForLogAsync("starting shutdown");
        await next.WaitForLogAsync("connection complete");
        // What was open before is served while the first drains.
        await AskAsync(old, "while");
        old.Dispose();
        CommandResult ended = await Task.Run(() => mesh.Node.Ztunnel.WaitForEnd(TimeSpan.FromSeconds(20)));
        load.SendLine("");
        string result = await load.WaitForLineAsync(static line => line.Contains(" ok", StringComparison.Ordinal));

        Assert.Equal(0, ended.ExitCode);
        Assert.DoesNotContain("failed", result, StringComparison.Ordinal);
        Assert.Equal("hihi", await mesh.Client.RunAsync("send", mesh.Server.Address, 8080, "hi"));
    }

    /// <summary>A connection that does not finish is served to the deadline and cut there, with the reason in the log; new ones go to the successor all the time.</summary>
    [NamespaceFact]
    public async Task SecondProcess_TakesOver_WhatOutlastsTheDeadlineIsCutThereAndNewOnesAreServed()
    {
        const int DeadlineSeconds = 3;
        await using InPodMesh mesh = await InPodMesh.CreateAsync();
        mesh.StartAgent();
        mesh.Node.Start(mesh.Socket, ("CONNECTION_TERMINATION_DEADLINE", $"{DeadlineSeconds}s"));
        await mesh.Node.WaitForLogAsync("marking server ready");
        // New connections all the time, and two that stay: one through a tunnel, one in plain text.
        using TestProcess tunnelled = mesh.Client.Start("steady", mesh.Server.Address, 8080, "3");
        using TestProcess plain = mesh.Outsider.Start("steady", mesh.Server.Address, 8080, "2");
        using TestProcess staying = mesh.Client.Start("hold", mesh.Server.Address, 8080);
        using TestProcess watched = mesh.Outsider.Start("watch", mesh.Server.Address, 8080);
        await Task.WhenAll(tunnelled.WaitForLineAsync(static line => line == "running"), plain.WaitForLineAsync(static line => line == "running"), watched.WaitForLineAsync(static line => line == "open"));
        await AskAsync(staying, "before");

        InPodNode next = mesh.AddNode();
        next.Start(mesh.Socket);
        await next.WaitForLogAsync("marking server ready");
        var draining = System.Diagnostics.Stopwatch.StartNew();
        mesh.Node.Ztunnel.Signal("TERM");
        await mesh.Node.WaitForLogAsync("starting shutdown");
        await AskAsync(staying, "while");

        string end = await watched.WaitForLineAsync(static line => line.Contains(" after ", StringComparison.Ordinal), TimeSpan.FromSeconds(20));
        draining.Stop();
        CommandResult ended = await Task.Run(() => mesh.Node.Ztunnel.WaitForEnd(TimeSpan.FromSeconds(20)));
        staying.SendLine("late");
        await staying.WaitForLineAsync(static line => line is "ConnectionResetError" or "BrokenPipeError");
        foreach (TestProcess load in (TestProcess[])[tunnelled, plain])
        {
            load.SendLine("");
            Assert.DoesNotContain("failed", await load.WaitForLineAsync(static line => line.Contains(" ok", StringComparison.Ordinal)), StringComparison.Ordinal);
        }

        Assert.StartsWith("reset after ", end, StringComparison.Ordinal);
        Assert.InRange(draining.Elapsed.TotalSeconds, DeadlineSeconds - 0.5, DeadlineSeconds + 8);
        Assert.Equal(0, ended.ExitCode);
        Assert.Contains("drain duration expired with pending connections, forcefully shutting down", ended.Output, StringComparison.Ordinal);
        string[] cut = [.. ended.Output.Split('\n').Where(static line => line.Contains("reason=\"drained\"", StringComparison.Ordinal))];
        // Both ends of the tunnelled one are this process: whichever is cut first says why, the other sees the stream end.
        Assert.Contains(cut, static line => line.Contains("src.identity=", StringComparison.Ordinal));
        Assert.Contains(cut, static line => line.Contains("direction=\"inbound\"", StringComparison.Ordinal) && !line.Contains("src.identity=", StringComparison.Ordinal));
    }

    /// <summary>An upgrade that goes wrong: the successor dies as soon as it serves. What it had accepted is reset; the old one, which is still there, serves everybody from then on.</summary>
    [NamespaceFact]
    public async Task SecondProcess_Dies_TheFirstServesOn()
    {
        await using InPodMesh mesh = await InPodMesh.CreateAsync();
        mesh.StartAgent();
        mesh.Node.Start(mesh.Socket);
        await mesh.Node.WaitForLogAsync("marking server ready");
        using TestProcess old = mesh.Client.Start("hold", mesh.Server.Address, 8080);
        await AskAsync(old, "before");
        InPodNode next = mesh.AddNode();
        next.Start(mesh.Socket);
        await next.WaitForLogAsync("marking server ready");

        next.Ztunnel.Signal("KILL");
        await Task.Run(() => next.Ztunnel.WaitForEnd(TestCommand.Limit));

        for (int round = 0; round < 20; round++)
            Assert.Equal("hihi", await mesh.Client.RunAsync("send", mesh.Server.Address, 8080, "hi"));
        await AskAsync(old, "after");
        Assert.Equal("ready", mesh.Node.ReadReadiness());
    }

    private static async Task AskAsync(TestProcess connection, string text)
    {
        connection.SendLine(text);
        await connection.WaitForLineAsync(line => line == $"answer {text}{text}");
    }
}
