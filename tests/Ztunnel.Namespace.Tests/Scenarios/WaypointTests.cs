using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Namespace.Tests.Scenarios;

/// <summary>Traffic for something behind a waypoint goes to the waypoint, which is told what was dialled (data-path 2.2 A and E, 2.4, 3.3, 3.6).</summary>
[Collection(ScenarioCollection.Name)]
public sealed class WaypointTests(ScenarioMesh mesh)
{
    private const string GuardedLabels =
        "reporter=\"source\",source_workload=\"client\",source_canonical_service=\"client\",source_canonical_revision=\"v1\",source_workload_namespace=\"default\","
        + "source_principal=\"spiffe://cluster.local/ns/default/sa/client\",source_app=\"client\",source_version=\"v1\",source_cluster=\"Kubernetes\","
        + "destination_service=\"guarded.default.svc.cluster.local\",destination_service_namespace=\"default\",destination_service_name=\"guarded\","
        + "destination_workload=\"waypoint\",destination_canonical_service=\"waypoint\",destination_canonical_revision=\"v1\",destination_workload_namespace=\"default\","
        + "destination_principal=\"spiffe://cluster.local/ns/default/sa/waypoint\",destination_app=\"waypoint\",destination_version=\"v1\",destination_cluster=\"Kubernetes\","
        + "request_protocol=\"tcp\",response_flags=\"-\",connection_security_policy=\"mutual_tls\","
        + "source_region=\"unknown\",source_zone=\"unknown\",destination_region=\"unknown\",destination_zone=\"unknown\"";

    /// <summary>What is dialled, who answers, as which workload the log knows it.</summary>
    [NamespaceTheory]
    [InlineData("10.215.2.1", 8080, ScenarioMesh.WaypointAddress, "waypoint")]         // a workload's, by address
    [InlineData("10.216.0.1", 80, ScenarioMesh.WaypointAddress, "waypoint")]           // a service's, by address
    [InlineData("10.215.2.2", 8080, ScenarioMesh.WaypointAddress, "waypoint")]         // by the name of a service, whose port 15009 is the waypoint's 15008
    [InlineData("10.215.2.3", 8080, ScenarioMesh.NamedWaypointAddress, "named-waypoint")] // by the name of a workload
    public async Task Destination_BehindWaypoint_IsAskedOfTheWaypoint(string dialled, int port, string waypoint, string name)
    {
        Assert.Equal("answer waypoint hello", await mesh.Client.RunAsync("ask", dialled, port, "hello"));

        string request = await mesh.Peer.WaitForLineAsync(line => line.StartsWith($"request {waypoint} :method=CONNECT|:authority={dialled}:{port}|baggage=", StringComparison.Ordinal));
        Assert.Equal(port == 80, request.Contains(";host=guarded.default.svc.cluster.local|traceparent=", StringComparison.Ordinal));
        string line = await mesh.Node1.WaitForLogAsync("connection complete", $"dst.addr={waypoint}:15008 dst.hbone_addr={dialled}:{port} ");
        Assert.Contains($"dst.workload=\"{name}\" dst.namespace=\"default\" dst.identity=\"spiffe://cluster.local/ns/default/sa/waypoint\"", line, StringComparison.Ordinal);
        Assert.Equal(port == 80, line.Contains("dst.service=\"guarded.default.svc.cluster.local\"", StringComparison.Ordinal));
    }

    /// <summary>Every label, in order: the service is the one that was meant, the workload the one that was asked.</summary>
    [NamespaceFact]
    public async Task Destination_BehindWaypoint_LabelsNameServiceAndWaypoint()
    {
        await mesh.Client.RunAsync("ask", "10.216.0.1", 80, "hello");
        await mesh.Node1.WaitForLogAsync("connection complete", "dst.service=\"guarded.default.svc.cluster.local\"");

        string scrape = await mesh.Node1.ScrapeAsync();

        foreach (string family in (string[])["opened", "closed"])
            Assert.Single(scrape.Split('\n'), line => line.StartsWith($"istio_tcp_connections_{family}_total{{{GuardedLabels}}} ", StringComparison.Ordinal));
        foreach (string family in (string[])["received", "sent"])
            Assert.Single(scrape.Split('\n'), line => line.StartsWith($"istio_tcp_{family}_bytes_total{{{GuardedLabels}}} ", StringComparison.Ordinal));
        Assert.DoesNotContain(scrape.Split('\n'), static line => line.Contains("destination_service=\"guarded", StringComparison.Ordinal) && !line.Contains(GuardedLabels, StringComparison.Ordinal) && line.StartsWith("istio_", StringComparison.Ordinal));
    }

    /// <summary>A captured waypoint without header: its own ztunnel takes traffic for the other pod's address and connects to the waypoint as the client.</summary>
    [NamespaceFact]
    public async Task SandwichedWaypoint_Plain_GetsTheTrafficOfThePodsItServes()
    {
        Assert.StartsWith($"answer {mesh.Client.Address} ", await mesh.Client.RunAsync("ask", "10.215.2.4", 8084, "hello"), StringComparison.Ordinal);

        string line = await mesh.Node2.WaitForLogAsync("connection complete", "direction=\"inbound\"", "dst.hbone_addr=10.215.2.4:8084");
        Assert.Contains($"dst.addr={mesh.PlainSandwich.Address}:15008", line, StringComparison.Ordinal);
        Assert.Contains("dst.workload=\"plain-sandwich\"", line, StringComparison.Ordinal);
    }

    /// <summary>A captured waypoint with PROXY protocol, found by a VIP without ports: its application learns from the header who called whom.</summary>
    [NamespaceFact]
    public async Task SandwichedWaypoint_ProxyProtocol_LearnsClientDestinationAndIdentity()
    {
        string seen = await mesh.Client.RunAsync("ask", "10.215.2.5", 8080, "hello");

        Assert.Matches($@"^answer 10\.215\.0\.10:\d+ 10\.215\.2\.5:8080 D0={mesh.Client.Identity} hello$", seen);
    }
}
