using Ztunnel.Integration.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Integration.Tests;

/// <summary>curl in a pod, told to use the pod's socks5 port (data-path 1.8). The application on 8082 says "bye" and ends.</summary>
[Collection(InteropCollection.Name)]
public sealed class Socks5Tests(InteropMesh mesh)
{
    [NamespaceFact]
    public async Task Address_IsReachedThroughATunnel()
    {
        CommandResult curl = await CurlAsync("--socks5", $"http://{mesh.FarNode.Member.Address}:8082/");

        Assert.Equal("bye", curl.EnsureSucceeded().Output.Trim());
        await mesh.Node.WaitForLogAsync("src.addr=127.0.0.1:", $"dst.hbone_addr={mesh.FarNode.Member.Address}:8082", "direction=\"outbound\"");
    }

    [NamespaceFact]
    public async Task NameOfTheMesh_IsItsService()
    {
        using TestProcess gateway = await mesh.StartGatewayAsync();

        CommandResult curl = await CurlAsync("--socks5-hostname", $"http://{InteropMesh.RemoteHostname}:82/");

        Assert.Equal("bye", curl.EnsureSucceeded().Output.Trim());
        await mesh.Node.WaitForLogAsync("src.addr=127.0.0.1:", $"dst.hbone_addr={InteropMesh.RemoteHostname}:82");
    }

    /// <summary>The client is told before it sends anything that there is nobody.</summary>
    [NamespaceFact]
    public async Task NobodyListens_TheClientIsTold()
    {
        CommandResult refused = await CurlAsync("--socks5", "http://10.203.0.254:1/");
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("(5)", refused.Error, StringComparison.Ordinal);

        CommandResult unknown = await CurlAsync("--socks5-hostname", "http://nobody.invalid/");
        Assert.NotEqual(0, unknown.ExitCode);
        Assert.Contains("(4)", unknown.Error, StringComparison.Ordinal);
        await mesh.Node.WaitForLogAsync("failed to negotiate socks connection: dns lookup: no address for nobody.invalid");
    }

    // The answer is no HTTP, which curl takes for the oldest one.
    private Task<CommandResult> CurlAsync(string kind, string url) => Task.Run(() => TestCommand.Run(
        TimeSpan.FromSeconds(30), "ip", "netns", "exec", mesh.Node.Pod.Name, "curl", "--silent", "--show-error", "--http0.9", "--max-time", "20", kind, "127.0.0.1:15080", url));
}
