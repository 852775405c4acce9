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

    private static async Task AskAsync(TestProcess connection, string text)
    {
        connection.SendLine(text);
        await connection.WaitForLineAsync(line => line == $"answer {text}{text}");
    }
}
