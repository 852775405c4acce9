using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests;

/// <summary>`guarded` lets in whom its policy names, from the moment the file says so.</summary>
[Collection(MeshCollection.Name)]
public sealed class PolicyTests(MeshFixture mesh)
{
    private const string Rejection = "connection closed due to policy rejection: allow policies exist, but none allowed";

    [NamespaceFact]
    public async Task Policy_NamesSomebodyElse_RefusesTunnelAndPlaintext()
    {
        mesh.WriteMesh("local");
        await WaitForAsync("client", isAllowed: false);
        await WaitForAsync("local", isAllowed: true);

        Assert.Equal("reset", await mesh.Client.RunAsync("expect", mesh.Guarded.Address, 8080));
        await mesh.Node1.WaitForLogAsync("connection complete", $"dst.hbone_addr={mesh.Guarded.Address}:8080", "http status: 401 Unauthorized");
        await mesh.Node2.WaitForLogAsync("connection complete", $"src.identity=\"{mesh.Client.Identity}\"", Rejection);

        Assert.Equal("reset", await mesh.Outsider.RunAsync("expect", mesh.Guarded.Address, 8080));
        await mesh.Node2.WaitForLogAsync("connection complete", $"src.addr={mesh.Outsider.Address}", Rejection);
    }

    [NamespaceFact]
    public async Task Policy_FileChanges_AdmitsNewAndCutsLiveConnections()
    {
        mesh.WriteMesh("client", "local");
        await WaitForAsync("client", isAllowed: true);
        using TestProcess live = mesh.Client.Start("hold", mesh.Guarded.Address, 8080);
        using TestProcess other = mesh.Local.Start("hold", mesh.Guarded.Address, 8080);
        foreach (TestProcess connection in (TestProcess[])[live, other])
        {
            connection.SendLine("one");
            await connection.WaitForLineAsync(static line => line == "answer oneone");
        }

        mesh.WriteMesh("local");
        await WaitForAsync("client", isAllowed: false);

        await mesh.Node2.WaitForLogAsync("connection complete", $"src.identity=\"{mesh.Client.Identity}\"", "connection closed due to policy change");
        live.SendLine("two");
        await live.WaitForLineAsync(static line => line is "ConnectionResetError" or "BrokenPipeError");
        other.SendLine("two");
        await other.WaitForLineAsync(static line => line == "answer twotwo");
    }

    /// <summary>Tries until the change of the file has arrived; each try is a connection of its own.</summary>
    private async Task WaitForAsync(string caller, bool isAllowed)
    {
        TestPod pod = caller == "client" ? mesh.Client : mesh.Local;
        using var limit = new CancellationTokenSource(TestCommand.Limit);
        while (await pod.RunAsync("send", mesh.Guarded.Address, 8080, "x") == "xx" != isAllowed)
            Assert.False(limit.IsCancellationRequested, $"{caller} is still {(isAllowed ? "refused" : "let in")} ten seconds after the policy file changed");
    }
}
