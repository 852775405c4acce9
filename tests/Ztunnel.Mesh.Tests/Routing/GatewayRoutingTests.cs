using System.Net;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Routing;

/// <summary>Other networks are reached through their gateway by double HBONE: data-path 2.2 C and G.</summary>
public sealed class GatewayRoutingTests
{
    private static readonly Workload Client = Pod("client", "10.0.1.5");
    private static readonly Workload GatewayPod = Pod("gateway", "192.0.2.10", protocol: TunnelProtocol.None);
    private static readonly Service GatewayService = Service("gateway", "192.0.2.99", ports: (15008, 15010)) with { SubjectAltNames = ["spiffe://td/ns/g/sa/g"] };
    private static readonly Service Echo = Service("echo", "10.96.0.10") with { SubjectAltNames = ["spiffe://remote/ns/default/sa/echo"] };

    [Theory]
    [InlineData("address of a workload", "192.0.2.10:15008")]
    [InlineData("VIP", "192.0.2.10:15010")]
    [InlineData("service name", "192.0.2.10:15010")]
    public void Route_EndpointOnAnotherNetwork_GoesThroughItsGateway(string form, string address)
    {
        GatewayAddress gateway = form switch { "address of a workload" => Gateway("192.0.2.10"), "VIP" => Gateway("192.0.2.99"), _ => Gateway(GatewayService) };
        Workload remote = Remote("remote", "10.0.2.7", gateway);

        Route route = Store(Client, Echo, GatewayService, Backing(GatewayPod), remote).Route(Client, "10.96.0.10:80");

        Assert.Equal(RouteKind.DoubleHbone, route.Kind);
        Assert.Equal(At(address), route.First!.Address);
        Assert.Equal("echo.default.svc.cluster.local:80", route.First.Authority);
        Assert.Equal("gateway", route.First.Workload!.Name);
        Assert.Equal("echo", route.Service!.Name);
        Assert.Equal(
            form == "address of a workload" ? [GatewayPod.Identity] : [SpiffeId.Parse("spiffe://td/ns/g/sa/g"), GatewayPod.Identity],
            route.First.ExpectedIdentities.AsEnumerable());
        Assert.Equal([SpiffeId.Parse("spiffe://remote/ns/default/sa/echo")], route.First.InnerIdentities.AsEnumerable());
    }

    [Fact]
    public void Route_RemoteEndpointWithoutAddress_IsReachedThroughItsGateway()
    {
        Workload remote = Remote("remote", ip: null, Gateway("192.0.2.10"));

        Assert.Equal(RouteKind.DoubleHbone, Store(Client, Echo, GatewayPod, remote).Route(Client, "10.96.0.10:80").Kind);
    }

    [Fact]
    public void Route_RemoteEndpointWithoutAddressOnTheOwnNetwork_IsNoEndpoint()
    {
        Workload unreachable = Remote("local", ip: null, Gateway("192.0.2.10")).With(static traits => traits with { Network = "" });

        Assert.Equal(RefuseReason.NoHealthyUpstream, Store(Client, Echo, GatewayPod, unreachable).Route(Client, "10.96.0.10:80").Reason);
    }

    [Fact]
    public void Route_RemoteWorkloadWithoutGateway_IsRefused()
    {
        Workload remote = Remote("remote", "10.0.2.7", gateway: null);

        Route route = Store(Client, Echo, remote).Route(Client, "10.96.0.10:80");

        Assert.Equal((RefuseReason.NoValidDestination, $"no valid routing destination for workload: {remote.Uid}"), (route.Reason, route.Error));
    }

    [Fact]
    public void Route_UnknownGateway_IsRefused()
    {
        MeshStore store = Store(Client, Echo, Remote("remote", "10.0.2.7", Gateway("192.0.2.10")));

        Assert.Equal("unknown network gateway: network gateway /192.0.2.10:15008 not found", store.Route(Client, "10.96.0.10:80").Error);
        Assert.Equal(RefuseReason.UnknownNetworkGateway, store.Route(Client, "10.96.0.10:80").Reason);
    }

    [Fact]
    public void Route_RemoteWorkloadNotReachedThroughAService_IsRefused()
    {
        // The client's record says another network than this node: what is near the node is far from it.
        Workload client = Client.With(static traits => traits with { Network = "net2" });
        Workload server = Pod("server", "10.0.2.7", network: "net2").With(static traits => traits with { Network = "net2" });
        Service split = Service("split") with { Vips = [new NetworkAddress("net2", IPAddress.Parse("10.96.0.50"))] };
        Workload near = Pod("near", "10.0.9.9", services: Of(split));

        Route route = Store(client, server, split, near).Route(client, "10.96.0.50:80");

        Assert.Equal((RefuseReason.NoServiceForAddress, "no service for target address: 10.96.0.50:80"), (route.Reason, route.Error));
    }

    [Fact]
    public void Route_WaypointOnAnotherNetwork_IsReachedThroughTheGateway()
    {
        Workload waypoint = Remote("waypoint", "10.0.3.9", Gateway("192.0.2.10")).With(static traits => traits with { Services = [Of(Waypoints)] });
        Service echo = Echo with { Waypoint = Gateway(Waypoints) };

        Route route = Store(Client, echo, Waypoints, waypoint, GatewayPod).Route(Client, "10.96.0.10:80");

        Assert.Equal(RouteKind.DoubleHbone, route.Kind);
        Assert.Equal("gateway", route.First!.Workload!.Name);
        Assert.Equal("echo.default.svc.cluster.local:80", route.First.Authority);
        Assert.Equal([SpiffeId.Parse("spiffe://td/ns/w/sa/w")], route.First.InnerIdentities.AsEnumerable());
    }

    [Fact]
    public void Route_NetworkFailover_PrefersTheOwnNetworkAndFallsBackThroughTheGateway()
    {
        Service echo = Echo with { LoadBalancer = new LoadBalancer([LocalityScope.Network], LoadBalancerMode.Failover, HealthPolicy.OnlyHealthy) };
        Workload local = Pod("local", "10.0.2.8", services: Of(Echo));
        MeshStore store = Store(Client, echo, GatewayPod, Remote("remote", "10.0.2.7", Gateway("192.0.2.10")), local);

        Route healthy = store.Route(Client, "10.96.0.10:80");
        Assert.Equal("local", healthy.First!.Workload!.Name);
        Assert.True(healthy.TryNext(out NextHop? next));
        Assert.Equal((RouteKind.DoubleHbone, "gateway"), (next.Kind, next.Workload!.Name));

        store.Apply(Update(local with { Status = HealthStatus.Unhealthy }));
        Assert.Equal(RouteKind.DoubleHbone, store.Route(Client, "10.96.0.10:80").Kind);
    }

    [Fact]
    public void TryNext_SeveralEndpointsBehindOneGateway_OffersEachGatewayOnce()
    {
        Workload second = Backing(Pod("gateway-2", "192.0.2.11"));
        MeshStore store = Store(
            Client, Echo, GatewayService, Backing(GatewayPod), second,
            Remote("a", "10.0.2.7", Gateway(GatewayService)), Remote("b", "10.0.2.8", Gateway(GatewayService)), Remote("c", "10.0.2.9", Gateway(GatewayService)));

        List<string?> candidates = store.Route(Client, "10.96.0.10:80").Candidates();

        Assert.Equal(["gateway", "gateway-2"], candidates.Order());
    }

    private static readonly Service Waypoints = Service("waypoint", ports: (15008, 15008)) with { SubjectAltNames = ["spiffe://td/ns/w/sa/w"] };

    private static Workload Remote(string name, string? ip, GatewayAddress? gateway) =>
        Pod(name, ip, network: "net2", services: Of(Echo)).With(traits => traits with { NetworkGateway = gateway });

    private static Workload Backing(Workload gateway) => gateway.With(static traits => traits with { Services = [Of(GatewayService)] });
}
