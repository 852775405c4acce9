using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Namespace.Tests.InPod;

/// <summary>One client outside the mesh with many connections to one pod, whose application sees the client's address.</summary>
public sealed class ManyPlainTests
{
    /// <summary>
    /// ztunnel's own connection to the application bears the client's address. When it also got the port of one of the client's live connections, the kernel took it for that one:
    /// the new connection timed out and the live one was reset, some in a thousand with these numbers.
    /// </summary>
    [NamespaceFact]
    public async Task PlainClient_ManyConnectionsStayOpen_NewOnesDisturbNone()
    {
        await using InPodMesh mesh = await InPodMesh.CreateAsync();
        mesh.StartAgent();
        mesh.Node.Start(mesh.Socket);
        await mesh.Node.WaitForLogAsync("marking server ready");

        Assert.Equal("1500 new, 800 stayed", await mesh.Outsider.RunAsync("among", mesh.Server.Address, 8080, "800,1500"));
    }
}
