using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests;

/// <summary>Ends of data and resets arrive at the other application as what they were (data-path 5.4).</summary>
[Collection(MeshCollection.Name)]
public sealed class EndingTests(MeshFixture mesh)
{
    [NamespaceFact]
    public async Task HalfClose_ByTheServer_LeavesTheOtherDirectionOpen()
    {
        foreach (TestPod server in (TestPod[])[mesh.Server, mesh.Outsider])
        {
            Assert.Equal("banner", await mesh.Client.RunAsync("half", server.Address, 8082));

            await server.Server.WaitForLineAsync(static line => line == "banner received 100000 bytes then eof");
        }
    }

    [NamespaceFact]
    public async Task Reset_ByTheServer_IsAResetForTheClient()
    {
        Assert.Equal("reset", await mesh.Client.RunAsync("expect", mesh.Server.Address, 8083));
        Assert.Equal("reset", await mesh.Outsider.RunAsync("expect", mesh.Server.Address, 8083));
        Assert.Equal("reset", await mesh.Client.RunAsync("expect", mesh.Outsider.Address, 8083));
    }

    [NamespaceFact]
    public async Task Reset_ByTheClient_IsAResetForTheServer()
    {
        using TestProcess client = mesh.Client.Start("reset", mesh.Server2.Address, 8086);
        await client.WaitForLineAsync(static line => line == "connected");
        await mesh.Server2.Server.WaitForLineAsync(static line => line == "silent connected");

        client.SendLine("now");

        Assert.Equal("silent received 1 bytes then reset", await mesh.Server2.Server.WaitForLineAsync(static line => line.StartsWith("silent received", StringComparison.Ordinal)));
    }
}
