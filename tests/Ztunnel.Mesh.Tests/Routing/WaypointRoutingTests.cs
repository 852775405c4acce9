using System.Net;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Routing;

/// <summary>Waypoints of services and workloads: data-path 2.2 A, D, E and 2.4.</summary>
public sealed class WaypointRoutingTests
{
    private static readonly Workload Client = Pod("client", "10.0.1.5");
    private static readonly Workload WaypointPod = Pod("waypoint", "10.0.3.9", protocol: TunnelProtocol.None);
    private static readonly Service WaypointService = Service("waypoint", "10.96.0.99", ports: (15008, 15008)) with { SubjectAltNames = ["spiffe://td/ns/w/sa/w"] };

    public static TheoryData<string, GatewayAddress, object[]> References => new()
    {
        { "address of a pod", Gateway("10.0.3.9"), [WaypointPod] },
        { "VIP", Gateway("10.96.0.99"), [WaypointService, Backing(WaypointPod)] },
        { "service name", Gateway(WaypointService), [WaypointService, Backing(WaypointPod)] },
        {
            "workload hostname",
            new GatewayAddress(new NamespacedName("default", "wp.example.com")),
            [WaypointPod.With(static traits => traits with { Hostname = "wp.example.com" })]
        },
    };

    [Theory]
    [MemberData(nameof(References))]
    public void Route_ServiceWithWaypoint_AsksTheWaypointForWhatWasDialled(string form, GatewayAddress reference, object[] records)
    {
        Service echo = Service("echo", "10.96.0.10") with { Waypoint = reference };

        Route route = Store([Client, echo, .. records]).Route(Client, "10.96.0.10:80");

        Assert.Equal(RouteKind.Hbone, route.Kind);
        Assert.Equal(At("10.0.3.9:15008"), route.First!.Address);
        Assert.Equal("10.96.0.10:80", route.First.Authority);
        Assert.Equal("waypoint", route.First.Workload!.Name);
        Assert.Equal("echo", route.Service!.Name);
        bool throughService = form is "VIP" or "service name";
        Assert.Equal(throughService ? [SpiffeId.Parse("spiffe://td/ns/w/sa/w"), WaypointPod.Identity] : [WaypointPod.Identity], route.First.ExpectedIdentities.AsEnumerable());
        Assert.Equal(throughService ? "waypoint" : null, route.First.GatewayService?.Name);
    }

    [Theory]
    [MemberData(nameof(References))]
    public void Route_WorkloadWithWaypoint_AsksTheWaypointForWhatWasDialled(string form, GatewayAddress reference, object[] records)
    {
        Workload server = Pod("server", "10.0.2.7").With(traits => traits with { Waypoint = reference });

        Route route = Store([Client, server, .. records]).Route(Client, "10.0.2.7:8080");

        Assert.Equal((form, RouteKind.Hbone), (form, route.Kind));
        Assert.Equal(At("10.0.3.9:15008"), route.First!.Address);
        Assert.Equal(("10.0.2.7:8080", "waypoint"), (route.First.Authority, route.First.Workload!.Name));
        Assert.Null(route.Service);
    }

    [Fact]
    public void Route_WaypointServicePort_IsMappedToItsTarget()
    {
        Service waypoint = Service("waypoint", "10.96.0.99", ports: (15009, 15008));
        Service echo = Service("echo", "10.96.0.10") with { Waypoint = Gateway(waypoint, 15009) };

        Route route = Store(Client, echo, waypoint, WaypointPod.With(traits => traits with { Services = [Of(waypoint)] })).Route(Client, "10.96.0.10:80");

        Assert.Equal(At("10.0.3.9:15008"), route.First!.Address);
    }

    [Fact]
    public void Route_WaypointNotDeclaringThePort_NeedsAnApplicationTunnelWithAPort()
    {
        Service waypoint = Service("waypoint", "10.96.0.99", ports: (80, 80));
        Service echo = Service("echo", "10.96.0.10") with { Waypoint = Gateway(waypoint) };
        Workload sandwiched = WaypointPod.With(traits => traits with
        {
            Services = [Of(waypoint)],
            ApplicationTunnel = new ApplicationTunnel(ApplicationProtocol.Proxy, 15088),
        });

        Assert.Equal(At("10.0.3.9:15008"), Store(Client, echo, waypoint, sandwiched).Route(Client, "10.96.0.10:80").First!.Address);
        Assert.Equal(
            RefuseReason.UnknownWaypoint,
            Store(Client, echo, waypoint, sandwiched.With(static traits => traits with { ApplicationTunnel = null })).Route(Client, "10.96.0.10:80").Reason);
    }

    [Theory]
    [InlineData("10.96.0.10:80", "10.0.3.9")]
    [InlineData("[fd00::10]:80", "fd00:3::9")]
    public void Route_WaypointByName_FollowsTheFamilyDialled(string destination, string address)
    {
        Service echo = DualStack("echo") with { Waypoint = Gateway(WaypointService) };
        Workload waypoint = Backing(WaypointPod) with { Addresses = Ips("10.0.3.9", "fd00:3::9") };

        Assert.Equal(IPAddress.Parse(address), Store(Client, echo, WaypointService, waypoint).Route(Client, destination).First!.Address!.Address);
    }

    [Fact]
    public void Route_WaypointByAddress_KeepsTheFamilyOfItsAddress()
    {
        // An IPv6 call goes to the IPv4 waypoint: the reference says which address is meant (data-path 2.4).
        Service echo = DualStack("echo") with { Waypoint = Gateway("10.96.0.99") };
        Workload waypoint = Backing(WaypointPod) with { Addresses = Ips("fd00:3::9", "10.0.3.9") };

        Route route = Store(Client, echo, WaypointService, waypoint).Route(Client, "[fd00::10]:80");

        Assert.Equal(At("10.0.3.9:15008"), route.First!.Address);
        Assert.Equal("[fd00::10]:80", route.First.Authority);
    }

    [Fact]
    public void Route_MissingWaypoint_IsAnErrorAndNeverDirect()
    {
        Service byAddress = Service("a", "10.96.0.10") with { Waypoint = Gateway("10.0.3.9") };
        Service byName = Service("b", "10.96.0.11") with { Waypoint = new GatewayAddress(new NamespacedName("default", "wp.default")) };
        Service withoutEndpoints = Service("c", "10.96.0.12") with { Waypoint = Gateway(WaypointService) };
        Workload direct = Pod("server", "10.0.2.7", services: [Of(byAddress), Of(byName), Of(withoutEndpoints)]);
        Workload workload = Pod("behind", "10.0.2.8").With(static traits => traits with { Waypoint = Gateway("10.0.3.9") });
        MeshStore store = Store(Client, byAddress, byName, withoutEndpoints, WaypointService, direct, workload);

        Assert.Equal("unknown waypoint: waypoint /10.0.3.9:15008 not found", store.Route(Client, "10.96.0.10:80").Error);
        Assert.Equal("unknown waypoint: waypoint wp.default not found", store.Route(Client, "10.96.0.11:80").Error);
        Assert.Equal("unknown waypoint: waypoint waypoint.default.svc.cluster.local not found", store.Route(Client, "10.96.0.12:80").Error);
        Assert.Equal("unknown waypoint: waypoint /10.0.3.9:15008 not found", store.Route(Client, "10.0.2.8:80").Error);
        Assert.Equal(RefuseReason.UnknownWaypoint, store.Route(Client, "10.0.2.8:80").Reason);
    }

    [Fact]
    public void Route_WaypointServicePassingThrough_IsUnknown()
    {
        Service waypoint = WaypointService with { LoadBalancer = new LoadBalancer([], LoadBalancerMode.Passthrough, HealthPolicy.OnlyHealthy) };
        Service echo = Service("echo", "10.96.0.10") with { Waypoint = Gateway(waypoint) };

        Assert.Equal(RefuseReason.UnknownWaypoint, Store(Client, echo, waypoint, Backing(WaypointPod)).Route(Client, "10.96.0.10:80").Reason);
    }

    [Fact]
    public void Route_SourcesOwnWaypoint_IsNotUsed()
    {
        Workload client = Client.With(static traits => traits with { Waypoint = Gateway("10.0.3.9") });

        Route route = Store(client, WaypointPod, Pod("server", "10.0.2.7")).Route(client, "10.0.2.7:8080");

        Assert.Equal("server", route.First!.Workload!.Name);
    }

    [Fact]
    public void Route_ServiceAddressedTraffic_SkipsTheWorkloadsWaypoint()
    {
        Service echo = Service("echo", "10.96.0.10");
        Workload server = Pod("server", "10.0.2.7", services: Of(echo)).With(static traits => traits with { Waypoint = Gateway("10.0.3.9") });

        Route route = Store(Client, echo, server, WaypointPod).Route(Client, "10.96.0.10:80");

        Assert.Equal("10.0.2.7:8080", route.First!.Authority);
    }

    [Theory]
    [InlineData("address")]
    [InlineData("VIP")]
    [InlineData("name")]
    public void Route_FromTheWorkloadsWaypoint_GoesDirect(string form)
    {
        GatewayAddress reference = form switch { "address" => Gateway("10.0.3.9"), "VIP" => Gateway("10.96.0.99"), _ => Gateway(WaypointService) };
        Workload server = Pod("server", "10.0.2.7").With(traits => traits with { Waypoint = reference });
        Workload waypoint = Backing(WaypointPod);
        MeshStore store = Store(Client, server, WaypointService, waypoint);

        Assert.Equal("10.0.2.7:8080", store.Route(waypoint, "10.0.2.7:8080").First!.Authority);
        Assert.Equal("waypoint", store.Route(Client, "10.0.2.7:8080").First!.Workload!.Name);
    }

    [Fact]
    public void Route_FromTheServicesWaypoint_DoesNotLoop()
    {
        Service echo = Service("echo", "10.96.0.10") with { Waypoint = Gateway(WaypointService) };
        Service canary = Service("canary", "10.96.0.11") with { WeightedWaypoints = [new WeightedWaypoint(Gateway("10.0.3.9"), 1)] };
        Workload waypoint = Backing(WaypointPod);
        MeshStore store = Store(Client, echo, canary, WaypointService, waypoint, Pod("server", "10.0.2.7", services: [Of(echo), Of(canary)]));

        Assert.Equal("server", store.Route(waypoint, "10.96.0.10:80").First!.Workload!.Name);
        Assert.Equal("server", store.Route(waypoint, "10.96.0.11:80").First!.Workload!.Name);
        Assert.Equal("waypoint", store.Route(Client, "10.96.0.10:80").First!.Workload!.Name);
        // Neither its identity elsewhere nor its address alone makes a call the waypoint's.
        Workload samePlace = WaypointPod.With(static traits => traits with { Identity = new SpiffeId("cluster.local", "default", "other") });
        Workload sameIdentity = Client.With(traits => traits with { Identity = waypoint.Identity });
        Assert.Equal("waypoint", store.Route(samePlace, "10.96.0.10:80").First!.Workload!.Name);
        Assert.Equal("waypoint", store.Route(sameIdentity, "10.96.0.10:80").First!.Workload!.Name);
    }

    [Theory]
    [InlineData(100, 0, 1.0)]
    [InlineData(0, 100, 0.0)]
    [InlineData(75, 25, 0.75)]
    public void Route_WeightedWaypoints_AreChosenByWeight(uint first, uint second, double share)
    {
        Service echo = Service("echo", "10.96.0.10") with
        {
            Waypoint = Gateway("10.0.3.1"),
            WeightedWaypoints = [new WeightedWaypoint(Gateway("10.0.3.9"), first), new WeightedWaypoint(Gateway("10.0.3.10"), second)],
        };
        MeshStore store = Store(Client, echo, WaypointPod, Pod("second", "10.0.3.10"), Pod("single", "10.0.3.1"));
        var random = new Seeded(7);

        int hits = Enumerable.Range(0, 10_000).Count(_ => store.Route(Client, "10.96.0.10:80", random).First!.Workload!.Name == "waypoint");

        Assert.InRange(hits / 10_000.0, share - 0.05, share + 0.05);
        Assert.True(share is not (0 or 1) || hits == share * 10_000);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(uint.MaxValue, 1)]   // the sum overflows 32 bits
    public void Route_UnusableWeights_FallBackToTheSingleWaypoint(uint first, uint second)
    {
        Service echo = Service("echo", "10.96.0.10") with
        {
            Waypoint = Gateway("10.0.3.9"),
            WeightedWaypoints = [new WeightedWaypoint(Gateway("10.0.3.1"), first), new WeightedWaypoint(Gateway("10.0.3.2"), second)],
        };

        Assert.Equal("waypoint", Store(Client, echo, WaypointPod).Route(Client, "10.96.0.10:80").First!.Workload!.Name);
    }

    private static Workload Backing(Workload waypoint) => waypoint.With(static traits => traits with { Services = [Of(WaypointService)] });

    private static Service DualStack(string name) =>
        Service(name) with { Vips = [new NetworkAddress("", IPAddress.Parse("10.96.0.10")), new NetworkAddress("", IPAddress.Parse("fd00::10"))] };
}
