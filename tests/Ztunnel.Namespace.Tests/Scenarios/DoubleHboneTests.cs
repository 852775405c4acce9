using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Namespace.Tests.Scenarios;

/// <summary>An endpoint on another network is reached through that network's gateway: a tunnel to the gateway, and in its stream another one to the endpoint (data-path 2.6).</summary>
[Collection(ScenarioCollection.Name)]
public sealed class DoubleHboneTests(ScenarioMesh mesh)
{
    /// <summary>The gateway by address, and by the name of a service whose port 15009 is its 15008.</summary>
    [NamespaceTheory]
    [InlineData("10.216.0.30", "address.default.svc.cluster.local")]
    [InlineData("10.216.0.31", "name.default.svc.cluster.local")]
    public async Task Endpoint_OnAnotherNetwork_IsReachedThroughItsGateway(string vip, string hostname)
    {
        for (int connection = 0; connection < 2; connection++)
            Assert.Equal("answer hellohello", await mesh.Client.RunAsync("ask", vip, 8080, "hello"));

        string request = await mesh.Peer.WaitForLineAsync(line => line.StartsWith($"request {ScenarioMesh.GatewayAddress} :method=CONNECT|:authority={hostname}:8080|baggage=", StringComparison.Ordinal));
        Assert.DoesNotContain("x-forwarded-network", request, StringComparison.Ordinal);
        string outbound = await mesh.Node1.WaitForLogAsync("connection complete", $"dst.addr={ScenarioMesh.GatewayAddress}:15008 dst.hbone_addr={hostname}:8080 ");
        // Who answered is known from the inner tunnel: its baggage and its certificate.
        Assert.Contains($"dst.service=\"{hostname}\" dst.workload=\"remote\" dst.namespace=\"default\" dst.identity=\"{mesh.Remote.Identity}\"", outbound, StringComparison.Ordinal);
        Assert.Contains("bytes_sent=5 bytes_recv=10", outbound, StringComparison.Ordinal);
        string inbound = await mesh.RemoteNode.WaitForLogAsync("connection complete", "direction=\"inbound\"", $"dst.hbone_addr={hostname}:8080");
        Assert.Contains($"src.identity=\"{mesh.Client.Identity}\"", inbound, StringComparison.Ordinal);
        Assert.Contains("src.workload=\"client\"", inbound, StringComparison.Ordinal);
    }
}
