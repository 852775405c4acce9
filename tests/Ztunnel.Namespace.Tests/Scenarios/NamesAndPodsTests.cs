using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Scenarios;

/// <summary>Workloads known by name only, named ports, services without endpoints, and pods that leave (data-path 2.2, 2.3, 10.1, 10.2).</summary>
[Collection(ScenarioCollection.Name)]
public sealed class NamesAndPodsTests(ScenarioMesh mesh)
{
    [NamespaceFact]
    public async Task EndpointKnownByName_IsResolvedAtEachConnection()
    {
        for (int connection = 0; connection < 2; connection++)
            Assert.Equal("answer hihi", await mesh.Client.RunAsync("ask", "10.216.0.4", 80, "hi"));

        string line = await mesh.Node1.WaitForLogAsync("connection complete", "dst.service=\"external.default.svc.cluster.local\"");
        Assert.Contains("dst.addr=127.0.0.1:8080", line, StringComparison.Ordinal);
        Assert.Equal(2, await mesh.Node1.ReadMetricAsync("istio_on_demand_dns_total", "hostname=\"localhost\""));
    }

    /// <summary>A service whose target port has a name: the endpoint's own mapping counts.</summary>
    [NamespaceFact]
    public async Task ServicePort_Named_IsTheEndpointsOwn()
    {
        Assert.Equal("answer hihi", await mesh.Client.RunAsync("ask", "10.216.0.5", 80, "hi"));

        await mesh.Node1.WaitForLogAsync("connection complete", $"dst.hbone_addr={mesh.Server.Address}:8080", "dst.service=\"named.default.svc.cluster.local\"");
    }

    /// <summary>The same from the other side: a CONNECT to the service's name and port.</summary>
    [NamespaceTheory]
    [InlineData("two.default.svc.cluster.local:80")]
    [InlineData("named.default.svc.cluster.local:80")]
    public async Task Connect_ToAServicesNameAndPort_ReachesTheEndpointsPort(string authority)
    {
        Assert.Equal("open 200", await mesh.CallAsync(mesh.Server.Address, authority));

        await mesh.Node2.WaitForLogAsync("connection complete", "direction=\"inbound\"", $"dst.hbone_addr={authority}", $"dst.service=\"{authority.Split(':')[0]}\"", "bytes_recv=1");
    }

    [NamespaceFact]
    public async Task Service_WithoutEndpoints_RefusesAndSaysSo()
    {
        Assert.Equal("reset", await mesh.Client.RunAsync("ask", "10.216.0.40", 80, "hi"));

        string line = await mesh.Node1.WaitForLogAsync("\twarn\t", "connection failed", "dst.addr=10.216.0.40:80");
        Assert.Contains("error=\"no healthy upstream: 10.216.0.40:80\"", line, StringComparison.Ordinal);
        Assert.DoesNotContain("bytes_", line, StringComparison.Ordinal);
    }

    [NamespaceFact]
    public async Task Pod_Leaves_ItsConnectionsEndAndNewOnesFail()
    {
        using TestProcess live = mesh.Client.Start("hold", mesh.Leaver.Address, 8080);
        live.SendLine("one");
        await live.WaitForLineAsync(static line => line == "answer oneone");

        mesh.Remove(mesh.Leaver);

        await mesh.Node1.WaitForLogAsync("connection complete", $"dst.hbone_addr={mesh.Leaver.Address}:8080", "error=");
        live.SendLine("two");
        await live.WaitForLineAsync(static line => line is "ConnectionResetError" or "BrokenPipeError" or "reset");
        Assert.Equal("reset", await mesh.Client.RunAsync("ask", mesh.Leaver.Address, 8080, "hi"));
        await mesh.Node1.WaitForLogAsync($"dst.addr={mesh.Leaver.Address}:15008", "reason=\"connect_failed\"");
    }
}
