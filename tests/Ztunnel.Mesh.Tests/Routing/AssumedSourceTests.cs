using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Routing;

/// <summary>Calls of a pod that only the node agent has named: carried on as they will be with its record, or not at all, and never in plain text to somebody in the mesh.</summary>
public sealed class AssumedSourceTests
{
    private static readonly LocalWorkloadKey Key = new("client", "default", "client") { Assumed = new NodeDefaults("cluster.local", Network: "", Node: "node-1") };
    private static readonly Workload Server = Pod("server", "10.0.2.7");

    [Fact]
    public void FindOrAssume_NobodyVouches_IsNothing() => Assert.Null(Store(Server).Current.FindOrAssume(Key with { Assumed = null }, before: null));

    [Fact]
    public void FindOrAssume_RecordIsThere_IsTheRecord()
    {
        Workload assumed = Store(Server).Current.FindOrAssume(Key, before: null)!;

        Workload found = Store(Server, Pod("client", "10.0.1.5")).Current.FindOrAssume(Key, assumed)!;

        Assert.True(assumed.IsAssumed);
        Assert.False(found.IsAssumed);
    }

    [Fact]
    public void FindOrAssume_TrustDomain_IsThatOfTheNodesOtherPods()
    {
        Workload neighbour = Pod("neighbour", "10.0.1.9").With(static traits => traits with { Identity = new("example.org", "other", "sa") });

        Assert.Equal("spiffe://example.org/ns/default/sa/client", Store(neighbour).Current.FindOrAssume(Key, before: null)!.Identity.Text);
        Assert.Equal("spiffe://cluster.local/ns/default/sa/client", Store(neighbour with { Node = "node-2" }).Current.FindOrAssume(Key, before: null)!.Identity.Text);
    }

    [Fact]
    public void FindOrAssume_NothingNew_IsTheSameObject()
    {
        MeshSnapshot mesh = Store(Server).Current;
        Workload assumed = mesh.FindOrAssume(Key, before: null)!;

        Assert.Same(assumed, mesh.FindOrAssume(Key, assumed));
    }

    [Theory]
    [InlineData("10.0.2.7:8080", RouteKind.Hbone)]
    [InlineData("10.96.0.10:80", RouteKind.Hbone)]
    [InlineData("203.0.113.9:443", RouteKind.Tcp)]
    public void Route_OneNetworkAndNoWaypoint_IsThatOfTheRecord(string destination, RouteKind kind)
    {
        Service echo = Service("echo", "10.96.0.10");
        MeshStore store = Store(Server.With(traits => traits with { Services = [Of(echo)] }), echo);

        Route route = RouteOf(store, destination);

        Assert.Equal(kind, route.Kind);
        Assert.Equal(route.First!.Address, store.Route(Pod("client", "10.0.1.5"), destination).First!.Address);
    }

    [Fact]
    public void Route_MeshOfTwoNetworks_NeedsTheRecord()
    {
        MeshStore store = Store(Server, Pod("far", "10.0.9.9", network: "other"));

        AssertNeedsRecord(RouteOf(store, "10.0.2.7:8080"), "its network");
        AssertNeedsRecord(RouteOf(store, "203.0.113.9:443"), "its network");
    }

    [Fact]
    public void Route_OtherNetworkHasBeenLeft_StillNeedsTheRecord()
    {
        Workload far = Pod("far", "10.0.9.9", network: "other");
        MeshStore store = Store(Server, far);
        store.Apply(Update(far.Uid));

        AssertNeedsRecord(RouteOf(store, "10.0.2.7:8080"), "its network");
    }

    [Fact]
    public void Route_ServiceWithWaypoint_NeedsTheRecord()
    {
        Service echo = Service("echo", "10.96.0.10") with { Waypoint = Gateway("10.0.7.7") };

        AssertNeedsRecord(RouteOf(Store(Server, echo), "10.96.0.10:80"), "whether it is the waypoint");
    }

    [Fact]
    public void Route_WorkloadWithWaypoint_NeedsTheRecord() =>
        AssertNeedsRecord(RouteOf(Store(Server.With(static traits => traits with { Waypoint = Gateway("10.0.7.7") })), "10.0.2.7:8080"), "whether it is the waypoint");

    [Theory]
    [InlineData(LoadBalancerMode.Strict)]
    [InlineData(LoadBalancerMode.Failover)]
    public void Route_ServiceBalancedByLocality_NeedsTheRecord(LoadBalancerMode mode)
    {
        Service echo = Service("echo", "10.96.0.10") with { LoadBalancer = new LoadBalancer([LocalityScope.Zone], mode, HealthPolicy.OnlyHealthy) };

        AssertNeedsRecord(RouteOf(Store(Server.With(traits => traits with { Services = [Of(echo)] }), echo), "10.96.0.10:80"), "its locality");
    }

    private static Route RouteOf(MeshStore store, string destination) => store.Route(store.Current.FindOrAssume(Key, before: null)!, destination);

    private static void AssertNeedsRecord(Route route, string what)
    {
        Assert.Equal((RouteKind.Refuse, RefuseReason.SourceRecordMissing), (route.Kind, route.Reason));
        Assert.StartsWith($"only the workload's record tells {what}", route.Error, StringComparison.Ordinal);
    }
}
