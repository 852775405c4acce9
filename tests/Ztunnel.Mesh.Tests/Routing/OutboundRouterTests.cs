using System.Net;
using System.Net.Sockets;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Routing;

/// <summary>The order of decisions of data-path 2.2 and the scenarios of 10.3 that concern it.</summary>
public sealed class OutboundRouterTests
{
    private static readonly Workload Client = Pod("client", "10.0.1.5");

    [Fact]
    public void Route_UnknownDestination_IsPassedThrough()
    {
        Route route = Store(Client).Route(Client, "203.0.113.9:443");

        Assert.Equal(RouteKind.Tcp, route.Kind);
        Assert.Equal(At("203.0.113.9:443"), route.First!.Address);
        Assert.Null(route.First.Workload);
        Assert.Null(route.Service);
        Assert.Equal("", route.First.Authority);
        Assert.False(route.TryNext(out _));
    }

    [Theory]
    [InlineData(TunnelProtocol.Hbone, "node-1", RouteKind.Hbone, "10.0.2.7:15008", "10.0.2.7:8080")]
    [InlineData(TunnelProtocol.Hbone, "node-2", RouteKind.Hbone, "10.0.2.7:15008", "10.0.2.7:8080")]
    [InlineData(TunnelProtocol.None, "node-1", RouteKind.Tcp, "10.0.2.7:8080", "")]
    [InlineData(TunnelProtocol.None, "node-2", RouteKind.Tcp, "10.0.2.7:8080", "")]
    public void Route_Workload_FollowsItsProtocolWhateverTheNode(TunnelProtocol protocol, string node, RouteKind kind, string address, string authority)
    {
        Workload server = Pod("server", "10.0.2.7", protocol: protocol) with { Node = node };

        Route route = Store(Client, server).Route(Client, "10.0.2.7:8080");

        Assert.Equal(kind, route.Kind);
        Assert.Equal(At(address), route.First!.Address);
        Assert.Equal(authority, route.First.Authority);
        Assert.Equal(kind == RouteKind.Hbone ? [server.Identity] : [], route.First.ExpectedIdentities.AsEnumerable());
        Assert.Equal("server", route.First.Workload!.Name);
    }

    [Fact]
    public void Route_ServiceVip_GoesToTheTargetPortOfAnEndpoint()
    {
        Service echo = Service("echo", "10.96.0.10");
        Workload server = Pod("server", "10.0.2.7", services: Of(echo));

        Route route = Store(Client, echo, server).Route(Client, "10.96.0.10:80");

        Assert.Equal(RouteKind.Hbone, route.Kind);
        Assert.Equal(At("10.0.2.7:15008"), route.First!.Address);
        Assert.Equal("10.0.2.7:8080", route.First.Authority);
        Assert.Equal("echo.default.svc.cluster.local", route.Service!.Hostname);
    }

    [Fact]
    public void Route_ServiceWithSubjectAltNames_ExpectsThemAndTheWorkload()
    {
        Service echo = Service("echo", "10.96.0.10") with { SubjectAltNames = ["spiffe://other/ns/a/sa/b", "not-an-identity"] };
        Workload server = Pod("server", "10.0.2.7", services: Of(echo));

        Route route = Store(Client, echo, server).Route(Client, "10.96.0.10:80");

        Assert.Equal([new SpiffeId("other", "a", "b"), server.Identity], route.First!.ExpectedIdentities.AsEnumerable());
    }

    [Fact]
    public void Route_EndpointOwnPort_WinsOverServicePort()
    {
        Service echo = Service("echo", "10.96.0.10", ports: (80, 8080));
        Workload server = Pod("server", "10.0.2.7", services: Of(echo, (80, 9090)));

        Assert.Equal("10.0.2.7:9090", Store(Client, echo, server).Route(Client, "10.96.0.10:80").First!.Authority);
    }

    [Fact]
    public void Route_NamedPort_UsesOnlyEndpointsThatMapIt()
    {
        Service echo = Service("echo", "10.96.0.10", ports: (80, 0));
        MeshStore store = Store(
            Client, echo,
            Pod("without", "10.0.2.7", services: Of(echo)), Pod("with", "10.0.2.8", services: Of(echo, (80, 9090))), Pod("other", "10.0.2.9", services: Of(echo, (81, 1))));

        Route route = store.Route(Client, "10.96.0.10:80");

        Assert.Equal("10.0.2.8:9090", route.First!.Authority);
        Assert.Equal(["with"], route.Candidates());
    }

    [Theory]
    [InlineData("10.96.0.10:81")]   // a port the service does not have
    [InlineData("10.96.0.11:80")]   // a service without endpoints
    public void Route_ServiceWithoutUsableEndpoint_IsRefused(string destination)
    {
        Service echo = Service("echo", "10.96.0.10");
        MeshStore store = Store(Client, echo, Service("empty", "10.96.0.11"), Pod("server", "10.0.2.7", services: Of(echo)));

        Route route = store.Route(Client, destination);

        Assert.Equal(RouteKind.Refuse, route.Kind);
        Assert.Equal(RefuseReason.NoHealthyUpstream, route.Reason);
        Assert.Equal($"no healthy upstream: {destination}", route.Error);
        Assert.Null(route.First);
        Assert.False(route.TryNext(out _));
    }

    [Fact]
    public void Route_EndpointsAllUnhealthy_IsRefusedUnlessThePolicyAllowsThem()
    {
        Service echo = Service("echo", "10.96.0.10");
        Workload server = Pod("server", "10.0.2.7", services: Of(echo)) with { Status = HealthStatus.Unhealthy };
        MeshStore store = Store(Client, echo, server);

        Assert.Equal(RefuseReason.NoHealthyUpstream, store.Route(Client, "10.96.0.10:80").Reason);

        store.Apply(Update(echo with { LoadBalancer = new LoadBalancer([], LoadBalancerMode.Standard, HealthPolicy.AllowAll) }));
        Assert.Equal("server", store.Route(Client, "10.96.0.10:80").First!.Workload!.Name);
        Assert.Equal(RouteKind.Hbone, store.Route(Client, "10.0.2.7:8080").Kind);   // by its own address health does not matter

        store.Apply(Update(echo));
        Assert.Equal(RefuseReason.NoHealthyUpstream, store.Route(Client, "10.96.0.10:80").Reason);
    }

    [Fact]
    public void Route_PassthroughService_IsPassedThrough()
    {
        Service echo = Service("echo", "10.96.0.10") with { LoadBalancer = new LoadBalancer([], LoadBalancerMode.Passthrough, HealthPolicy.OnlyHealthy) };

        Route route = Store(Client, echo, Pod("server", "10.0.2.7", services: Of(echo))).Route(Client, "10.96.0.10:80");

        Assert.Equal(RouteKind.Tcp, route.Kind);
        Assert.Equal(At("10.96.0.10:80"), route.First!.Address);
        Assert.Null(route.Service);
    }

    [Fact]
    public void Route_PassthroughServiceWithWaypoint_GoesToTheWaypoint()
    {
        Service echo = Service("echo", "10.96.0.10") with
        {
            LoadBalancer = new LoadBalancer([], LoadBalancerMode.Passthrough, HealthPolicy.OnlyHealthy),
            Waypoint = Gateway("10.0.3.9"),
        };

        Route route = Store(Client, echo, Pod("waypoint", "10.0.3.9", protocol: TunnelProtocol.None)).Route(Client, "10.96.0.10:80");

        Assert.Equal(RouteKind.Hbone, route.Kind);
        Assert.Equal("10.96.0.10:80", route.First!.Authority);
    }

    [Fact]
    public void Route_ServiceSharingItsAddressWithAWorkload_IsHiddenForWaypointsButBalanced()
    {
        // Step A asks for a workload first, step B for a service first (data-path 12.3, 27).
        Service echo = Service("echo", "10.0.2.9") with { Waypoint = Gateway("10.0.3.9") };
        MeshStore store = Store(Client, echo, Pod("same-address", "10.0.2.9"), Pod("waypoint", "10.0.3.9"), Pod("server", "10.0.2.7", services: Of(echo)));

        Route route = store.Route(Client, "10.0.2.9:80");

        Assert.Equal("server", route.First!.Workload!.Name);
        Assert.Equal("10.0.2.7:8080", route.First.Authority);
    }

    [Fact]
    public void Route_LoopbackToOurListener_IsARecursiveCall()
    {
        Route route = Store(Client).Route(Client, "127.0.0.1:15001");

        Assert.Equal(RefuseReason.RecursiveCall, route.Reason);
        Assert.Equal("attempted recursive call to ourselves", route.Error);
        Assert.Equal(RouteKind.Tcp, Store(Client).Route(Client, "127.0.0.1:15021").Kind);
        Assert.Equal(RouteKind.Tcp, Store(Client).Route(Client, "127.0.0.1:15080").Kind);
        Assert.Equal(RouteKind.Refuse, Store(Client).Route(Client, "127.0.0.1:15080", context: new RoutingContext { Socks5Enabled = true }).Kind);
        Assert.Equal(RouteKind.Refuse, Store(Client).Route(Client, "[::1]:15008").Kind);
    }

    [Fact]
    public void Route_HostNetworkWorkload_IsFoundByVipButNotByAddress()
    {
        Service echo = Service("echo", "10.96.0.10");
        Workload host = Pod("host", "192.0.2.7", protocol: TunnelProtocol.None, services: Of(echo)).With(static traits => traits with { NetworkMode = NetworkMode.HostNetwork });
        MeshStore store = Store(Client, echo, host);

        Route byVip = store.Route(Client, "10.96.0.10:80");
        Route byAddress = store.Route(Client, "192.0.2.7:8080");

        Assert.Equal((RouteKind.Tcp, "host"), (byVip.Kind, byVip.First!.Workload!.Name));
        Assert.Equal(At("192.0.2.7:8080"), byVip.First.Address);
        Assert.Equal(RouteKind.Tcp, byAddress.Kind);
        Assert.Null(byAddress.First!.Workload);
    }

    [Theory]
    [InlineData("10.96.0.10:80", "10.0.2.7")]    // the family that was dialled
    [InlineData("[fd00::10]:80", "fd00:2::7")]
    [InlineData("10.0.2.8:8080", "10.0.2.8")]    // the very address that was dialled
    public void Route_WorkloadWithSeveralAddresses_UsesTheOneDialledOrItsFamily(string destination, string address)
    {
        Service echo = Service("echo") with { Vips = [new NetworkAddress("", IPAddress.Parse("10.96.0.10")), new NetworkAddress("", IPAddress.Parse("fd00::10"))] };
        Workload server = Pod("server", services: Of(echo)) with { Addresses = Ips("10.0.2.7", "fd00:2::7", "10.0.2.8") };

        Route route = Store(Client, echo, server).Route(Client, destination);

        Assert.Equal(IPAddress.Parse(address), route.First!.Address!.Address);
    }

    [Theory]
    [InlineData(IpFamilies.IPv6, "10.96.0.10:80", "fd00:2::7")]   // the family dialled is not allowed
    [InlineData(IpFamilies.IPv4, "[fd00::10]:80", "10.0.2.7")]
    [InlineData(IpFamilies.Dual, "[fd00::10]:80", "fd00:2::7")]
    public void Route_ServiceWithIpFamilies_UsesOnlyThose(IpFamilies families, string destination, string address)
    {
        Service echo = Service("echo") with
        {
            Vips = [new NetworkAddress("", IPAddress.Parse("10.96.0.10")), new NetworkAddress("", IPAddress.Parse("fd00::10"))],
            IpFamilies = families,
        };
        Workload server = Pod("server", services: Of(echo)) with { Addresses = Ips("10.0.2.7", "fd00:2::7") };

        Assert.Equal(IPAddress.Parse(address), Store(Client, echo, server).Route(Client, destination).First!.Address!.Address);
    }

    [Fact]
    public void Route_NoAddressOfAnAllowedFamily_IsRefused()
    {
        Service echo = Service("echo", "10.96.0.10") with { IpFamilies = IpFamilies.IPv6 };
        Workload server = Pod("server", "10.0.2.7", services: Of(echo));

        Route route = Store(Client, echo, server).Route(Client, "10.96.0.10:80");

        Assert.Equal(RefuseReason.NoValidDestination, route.Reason);
        Assert.Equal($"no valid routing destination for workload: {server.Uid}", route.Error);
    }

    [Theory]
    [InlineData(TunnelProtocol.Hbone, RouteKind.Hbone, "[fd00::9]:15008", "[fd00::9]:8080")]
    [InlineData(TunnelProtocol.None, RouteKind.Tcp, "[fd00::9]:8080", "")]
    public void Route_HostnameWorkload_IsCompletedWhenResolved(TunnelProtocol protocol, RouteKind kind, string address, string authority)
    {
        Service external = Service("external", "10.96.0.10");
        Workload server = Pod("server", protocol: protocol, services: Of(external)).With(static traits => traits with { Hostname = "db.example.com" });

        Route route = Store(Client, external, server).Route(Client, "10.96.0.10:80");
        NextHop resolved = route.First!.At(IPAddress.Parse("fd00::9"));

        Assert.Equal((null, "db.example.com", ""), (route.First.Address, route.First.Hostname, route.First.Authority));
        Assert.Equal(AddressFamily.InterNetwork, route.First.PreferredFamily);
        Assert.Equal((kind, At(address), null, authority), (resolved.Kind, resolved.Address, resolved.Hostname, resolved.Authority));
    }

    [Fact]
    public void Route_ClientNamespace_DecidesAmongServicesWithOneVip()
    {
        Service here = Service("echo", "10.96.0.10");
        Service there = Service("echo", "10.96.0.10", "elsewhere");
        MeshStore store = Store(Client, here, there, Pod("here", "10.0.2.7", services: Of(here)), Pod("there", "10.0.2.8", services: Of(there)));
        Workload other = Pod("client", "10.0.1.6", "elsewhere");

        Assert.Equal("here", store.Route(Client, "10.96.0.10:80").First!.Workload!.Name);
        Assert.Equal("there", store.Route(other, "10.96.0.10:80").First!.Workload!.Name);
    }
}
