using System.Net;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Routing;

/// <summary>What on-demand mode asks for before a decision: what the router would look up and not find, and nothing else.</summary>
public sealed class LookupNamesTests
{
    private static readonly RoutingContext Context = new("");
    private static readonly Workload Client = Pod("client", "10.0.0.1");

    [Fact]
    public void Outbound_UnknownAddress_IsAskedForByNetworkAndIp()
    {
        Assert.Equal(["/10.9.9.9"], LookupNames.ForOutbound(Store(Client).Current, Context, Client, At("10.9.9.9:80")));
        Assert.Equal(["/fd00::9"], LookupNames.ForOutbound(Store(Client).Current, Context, Client, At("[fd00::9]:80")));
    }

    [Fact]
    public void Outbound_KnownWorkloadOrService_AsksForNothing()
    {
        Service service = Service("web", "10.1.0.1");
        MeshSnapshot mesh = Store(Client, Pod("server", "10.0.0.2", services: Of(service)), service).Current;

        Assert.Empty(LookupNames.ForOutbound(mesh, Context, Client, At("10.0.0.2:80")));
        Assert.Empty(LookupNames.ForOutbound(mesh, Context, Client, At("10.1.0.1:80")));
    }

    [Fact]
    public void Outbound_ServiceOnlyVisibleElsewhere_IsNotAskedForAgain()
    {
        Service hidden = Service("web", "10.1.0.1", "other") with { Visibility = ServiceVisibility.Namespace };

        Assert.Empty(LookupNames.ForOutbound(Store(Client, hidden).Current, Context, Client, At("10.1.0.1:80")));
    }

    [Fact]
    public void Outbound_ThroughWaypointsAndGateways_AsksForThemByTheirNames()
    {
        Service waypoint = Service("waypoint");
        Service service = Service("web", "10.1.0.1") with { Waypoint = Gateway(waypoint), WeightedWaypoints = [new WeightedWaypoint(Gateway("10.0.0.77"), 1)] };
        Workload remote = Pod("remote", network: "net-2", services: Of(service)).With(static traits => traits with { NetworkGateway = Gateway("10.0.0.88", network: "net-1") });
        MeshSnapshot mesh = Store(Client, service, remote).Current;

        Assert.Equal(["/10.0.0.77", "default/waypoint.default.svc.cluster.local", "net-1/10.0.0.88"], LookupNames.ForOutbound(mesh, Context, Client, At("10.1.0.1:80")).Order(StringComparer.Ordinal));

        // When they have come, nothing is left to ask for.
        MeshSnapshot complete = Store(Client, service, remote, waypoint, Pod("w", "10.0.0.77"), Pod("g", "10.0.0.88", network: "net-1")).Current;
        Assert.Empty(LookupNames.ForOutbound(complete, Context, Client, At("10.1.0.1:80")));
    }

    [Fact]
    public void Outbound_WorkloadWithWaypoint_AsksForIt()
    {
        Workload server = Pod("server", "10.0.0.2").With(static traits => traits with { Waypoint = Gateway("10.0.0.77") });

        Assert.Equal(["/10.0.0.77"], LookupNames.ForOutbound(Store(Client, server).Current, Context, Client, At("10.0.0.2:80")));
    }

    [Fact]
    public void Inbound_OwnAddress_AsksForNothing_AnothersIsAskedFor()
    {
        Workload local = Pod("local", "10.0.0.5");
        MeshSnapshot mesh = Store(local).Current;

        Assert.Empty(LookupNames.ForInbound(mesh, Context, local, IPAddress.Parse("10.0.0.5"), Authority("10.0.0.5:80")));
        Assert.Equal(["/10.0.0.9"], LookupNames.ForInbound(mesh, Context, local, IPAddress.Parse("10.0.0.5"), Authority("10.0.0.9:80")));
    }

    [Fact]
    public void Inbound_HostnameOfOwnService_IsAskedForInItsNamespace()
    {
        Service service = Service("web");
        Workload local = Pod("local", "10.0.0.5", services: Of(service));
        IPAddress address = IPAddress.Parse("10.0.0.5");

        Assert.Equal(["default/web.default.svc.cluster.local"], LookupNames.ForInbound(Store(local).Current, Context, local, address, Authority("web.default.svc.cluster.local:80")));
        Assert.Empty(LookupNames.ForInbound(Store(local, service).Current, Context, local, address, Authority("web.default.svc.cluster.local:80")));
        Assert.Empty(LookupNames.ForInbound(Store(local).Current, Context, local, address, Authority("elsewhere.example:80")));
    }

    private static ConnectAuthority Authority(string text)
    {
        Assert.True(InboundRouter.TryParseAuthority(text, out ConnectAuthority? authority, out _));
        return authority;
    }
}
