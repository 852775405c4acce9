using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Namespace.Tests;

/// <summary>Who reaches whom, by which way, and what both logs and metrics say about it (data-path 10.2).</summary>
[Collection(MeshCollection.Name)]
public sealed class CapturedTrafficTests(MeshFixture mesh)
{
    [NamespaceFact]
    public async Task Local_BothCaptured_IsHboneWithLogsAndMetricsOfBothEnds()
    {
        Func<string, string, Task<double>> source = (family, more) => mesh.Node1.ReadMetricAsync(family, "reporter=\"source\"", "source_workload=\"client\"", "destination_workload=\"local\"", more);
        Func<string, string, Task<double>> destination = (family, more) => mesh.Node1.ReadMetricAsync(family, "reporter=\"destination\"", "source_workload=\"client\"", "destination_workload=\"local\"", more);

        Assert.Equal("hello worldhello world", await mesh.Client.RunAsync("send", mesh.Local.Address, 8080, "hello world"));

        string outbound = await mesh.Node1.WaitForLogAsync("connection complete", "direction=\"outbound\"", $"dst.hbone_addr={mesh.Local.Address}:8080");
        string inbound = await mesh.Node1.WaitForLogAsync("connection complete", "direction=\"inbound\"", $"dst.hbone_addr={mesh.Local.Address}:8080");
        AssertIdentities(outbound, mesh.Client, mesh.Local);
        AssertIdentities(inbound, mesh.Client, mesh.Local);
        Assert.Contains("bytes_sent=11 bytes_recv=22", outbound, StringComparison.Ordinal);
        Assert.Contains("bytes_sent=22 bytes_recv=11", inbound, StringComparison.Ordinal);
        foreach (Func<string, string, Task<double>> read in (Func<string, string, Task<double>>[])[source, destination])
        {
            Assert.Equal(1, await read("istio_tcp_connections_opened_total", "connection_security_policy=\"mutual_tls\""));
            Assert.Equal(1, await read("istio_tcp_connections_closed_total", "response_flags=\"-\""));
            Assert.Equal(11, await read("istio_tcp_received_bytes_total", ""));
            Assert.Equal(22, await read("istio_tcp_sent_bytes_total", ""));
        }
    }

    [NamespaceFact]
    public async Task CrossNode_OverIPv4_IsHbone() => await AssertCrossNodeAsync(mesh.Server.Address);

    [NamespaceFact]
    public async Task CrossNode_OverIPv6_IsHbone() => await AssertCrossNodeAsync(mesh.Server.Address6);

    [NamespaceFact]
    public async Task Application_SeesItsClient_OverEveryWayIn()
    {
        Assert.StartsWith(mesh.Client.Address + " ", await mesh.Client.RunAsync("send", mesh.Server.Address, 8084, "x"), StringComparison.Ordinal);
        Assert.StartsWith(mesh.Client.Address6 + " ", await mesh.Client.RunAsync("send", mesh.Server.Address6, 8084, "x"), StringComparison.Ordinal);
        Assert.StartsWith(mesh.Client.Address + " ", await mesh.Client.RunAsync("send", MeshFile.Vip, 84, "x"), StringComparison.Ordinal);
        Assert.StartsWith(mesh.Outsider.Address + " ", await mesh.Outsider.RunAsync("send", mesh.Server.Address, 8084, "x"), StringComparison.Ordinal);
        Assert.StartsWith(mesh.Outsider.Address6 + " ", await mesh.Outsider.RunAsync("send", mesh.Server.Address6, 8084, "x"), StringComparison.Ordinal);
    }

    [NamespaceFact]
    public async Task Server_Uncaptured_IsReachedPlainly()
    {
        Assert.Equal("hihi", await mesh.Client.RunAsync("send", mesh.Outsider.Address, 8080, "hi"));

        string outbound = await mesh.Node1.WaitForLogAsync("connection complete", "direction=\"outbound\"", $"dst.addr={mesh.Outsider.Address}:8080");
        Assert.DoesNotContain("identity", outbound, StringComparison.Ordinal);
        Assert.DoesNotContain("hbone_addr", outbound, StringComparison.Ordinal);
    }

    [NamespaceFact]
    public async Task Client_Uncaptured_ReachesTheServerPlainly()
    {
        Assert.Equal("hihi", await mesh.Outsider.RunAsync("send", mesh.Server.Address, 8080, "hi"));

        string inbound = await mesh.Node2.WaitForLogAsync("connection complete", "direction=\"inbound\"", $"src.addr={mesh.Outsider.Address}:", $"dst.addr={mesh.Server.Address}:8080");
        Assert.DoesNotContain("identity", inbound, StringComparison.Ordinal);
        Assert.Contains("bytes_sent=4 bytes_recv=2", inbound, StringComparison.Ordinal);
    }

    [NamespaceFact]
    public async Task Server_NobodyListens_ClientIsReset()
    {
        Assert.Equal("reset", await mesh.Client.RunAsync("expect", mesh.Server.Address, 9999));

        await mesh.Node1.WaitForLogAsync("connection complete", $"dst.hbone_addr={mesh.Server.Address}:9999", "http status: 503 Service Unavailable");
        await mesh.Node2.WaitForLogAsync("connection complete", $"dst.hbone_addr={mesh.Server.Address}:9999", "connection failed");
    }

    [NamespaceFact]
    public async Task Service_ManyConnections_ReachEveryEndpointOnItsTargetPort()
    {
        var seen = new HashSet<string>();
        for (int connection = 0; connection < 50; connection++)
        {
            Assert.Equal("oneone", await mesh.Client.RunAsync("send", connection % 2 == 0 ? MeshFile.Vip : MeshFile.Vip6, 80, "one"));
        }

        foreach (TestPod endpoint in (TestPod[])[mesh.Server, mesh.Server2])
        {
            string line = await mesh.Node1.WaitForLogAsync("connection complete", $"dst.service=\"{MeshFile.Hostname}\"", $"dst.workload=\"{endpoint.Name}\"", ":8080 ");
            AssertIdentities(line, mesh.Client, endpoint);
            seen.Add(endpoint.Name);
        }

        Assert.Equal(["server", "server2"], seen.Order(StringComparer.Ordinal));
        Assert.True(await mesh.Node1.ReadMetricAsync("istio_tcp_connections_opened_total", "reporter=\"source\"", $"destination_service=\"{MeshFile.Hostname}\"") >= 50);
    }

    [NamespaceFact]
    public async Task Application_CallsItself_DirectlyAndThroughItsService()
    {
        Assert.Equal("meme", await mesh.Server.RunAsync("send", "127.0.0.1", 8080, "me"));
        Assert.Equal("meme", await mesh.Server.RunAsync("send", mesh.Server.Address, 8080, "me"));
        for (int connection = 0; connection < 10; connection++)
            Assert.Equal("meme", await mesh.Server.RunAsync("send", MeshFile.Vip, 80, "me"));
    }

    [NamespaceFact]
    public async Task TrustDomain_Foreign_IsRefused()
    {
        Assert.Equal("reset", await mesh.Alien.RunAsync("expect", mesh.Server.Address, 8080));

        await mesh.Node1.WaitForLogAsync("connection complete", "src.workload=\"alien\"", "error=");
    }

    private async Task AssertCrossNodeAsync(string address)
    {
        string authority = address.Contains(':') ? $"[{address}]:8080" : $"{address}:8080";

        Assert.Equal("hello worldhello world", await mesh.Client.RunAsync("send", address, 8080, "hello world"));

        AssertIdentities(await mesh.Node1.WaitForLogAsync("connection complete", "direction=\"outbound\"", $"dst.hbone_addr={authority}", "bytes_sent=11 bytes_recv=22"), mesh.Client, mesh.Server);
        AssertIdentities(await mesh.Node2.WaitForLogAsync("connection complete", "direction=\"inbound\"", $"dst.hbone_addr={authority}", "bytes_sent=22 bytes_recv=11"), mesh.Client, mesh.Server);
    }

    private static void AssertIdentities(string line, TestPod source, TestPod destination)
    {
        Assert.Contains($"src.workload=\"{source.Name}\" src.namespace=\"default\" src.identity=\"{source.Identity}\"", line, StringComparison.Ordinal);
        Assert.Contains($"dst.workload=\"{destination.Name}\" dst.namespace=\"default\" dst.identity=\"{destination.Identity}\"", line, StringComparison.Ordinal);
    }
}
