using System.Net;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Routing;

/// <summary>What a CONNECT may ask for and where it ends: data-path 3.2 to 3.4 and 8.4; statuses and texts as observed from the existing program.</summary>
public sealed class InboundRouterTests
{
    private static readonly IPAddress LocalAddress = IPAddress.Parse("10.0.2.7");
    private static readonly Service Echo = Service("echo", "10.96.0.10", ports: [(80, 8080), (81, 0)]);
    private static readonly Workload Local = Pod("local", "10.0.2.7", services: Of(Echo));

    [Theory]
    [InlineData("10.88.0.2:8080", "10.88.0.2:8080")]
    [InlineData("[fd00::2]:8080", "[fd00::2]:8080")]
    [InlineData("[FD00:0::2]:8080", "[fd00::2]:8080")]
    [InlineData("[::ffff:10.0.0.1]:80", "10.0.0.1:80")]
    [InlineData("10.88.0.2:0", "10.88.0.2:0")]
    public void Parse_AddressAndPort_IsAnAddress(string text, string address)
    {
        Assert.True(ConnectAuthority.TryParse(text, out ConnectAuthority? authority));

        Assert.Equal((At(address), null, text), (authority.Address, authority.Hostname, authority.Text));
    }

    /// <summary>The text is kept with its connection and stands in log and journal: leading zeros and user information may not stretch it.</summary>
    [Theory]
    [InlineData("10.88.0.2:{0}8080", '0')]
    [InlineData("{0}@echo.default.svc.cluster.local:80", 'u')]
    [InlineData("{0}", 'x')]
    public void Parse_TextThatIsStretched_IsRefusedWithItsFirstWords(string form, char filler)
    {
        string text = form.Replace("{0}", new string(filler, 60_000), StringComparison.Ordinal);

        Assert.False(InboundRouter.TryParseAuthority(text, out _, out InboundRefusal? refusal));

        Assert.StartsWith($"no valid authority pseudo header: {text[..256]}... ({text.Length} characters)", refusal.Error, StringComparison.Ordinal);
        Assert.True(refusal.Error.Length < 350);
    }

    [Theory]
    [InlineData("echo.default.svc.cluster.local:80", "echo.default.svc.cluster.local", 80)]
    [InlineData("b.default.svc.cluster.local.:80", "b.default.svc.cluster.local.", 80)]
    [InlineData("u@10.88.0.2:8080", "10.88.0.2", 8080)]     // what follows the @ is a name, whatever it looks like
    [InlineData("u:p@b:80", "b", 80)]
    [InlineData("010.0.0.1:80", "010.0.0.1", 80)]           // not the decimal form
    [InlineData("0x0a.1:80", "0x0a.1", 80)]
    [InlineData("1:80", "1", 80)]
    public void Parse_AnythingElseWithAPort_IsAHostname(string text, string hostname, int port)
    {
        Assert.True(ConnectAuthority.TryParse(text, out ConnectAuthority? authority));

        Assert.Equal((null, hostname, port), (authority.Address, authority.Hostname, (int)authority.Port));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("10.88.0.2")]
    [InlineData("b.default.svc.cluster.local")]
    [InlineData("10.88.0.2:70000")]
    [InlineData("10.88.0.2:abc")]
    [InlineData("10.88.0.2:")]
    [InlineData("10.88.0.2:+80")]
    [InlineData(":80")]
    [InlineData("u@:80")]
    [InlineData("::1:80")]
    [InlineData("fd00::2")]
    [InlineData("a b:80")]
    [InlineData("a/b:80")]
    public void Parse_WithoutHostOrPort_IsABadRequest(string? text)
    {
        Assert.False(InboundRouter.TryParseAuthority(text, out _, out InboundRefusal? refusal));

        Assert.Equal(new InboundRefusal(400, RefuseReason.InvalidAuthority, $"no valid authority pseudo header: {text}"), refusal);
    }

    [Theory]
    [InlineData("10.0.2.7:8080", "10.0.2.7:8080")]
    [InlineData("10.0.2.7:0", "10.0.2.7:0")]                                  // fails when connecting
    [InlineData("10.0.2.7:15021", "10.0.2.7:15021")]                          // not one of the illegal ports
    [InlineData("echo.default.svc.cluster.local:80", "10.0.2.7:8080")]
    public void Resolve_OwnAddressOrService_EndsAtTheOwnAddress(string authority, string application)
    {
        InboundTarget target = Accepted(Store(Echo, Local), Local, authority);

        Assert.Equal(At(application), target.Application);
        Assert.Equal((ApplicationProtocol.None, null), (target.Protocol, target.TunnelTarget));
        Assert.Equal("echo", Assert.Single(target.Candidates).Name);
    }

    [Theory]
    [InlineData("10.0.2.9:8080")]
    [InlineData("127.0.0.1:8080")]
    [InlineData("[fd00::2]:8080")]
    [InlineData("10.96.0.10:80")]     // a VIP of this very pod
    public void Resolve_AnotherAddress_IsABadRequest(string authority)
    {
        InboundRefusal refusal = Refused(Store(Echo, Local, Pod("other", "10.0.2.9")), Local, authority);

        Assert.Equal(new InboundRefusal(400, RefuseReason.AddressMismatch, $"ip mismatch: 10.0.2.7 != {At(authority).Address}"), refusal);
    }

    [Theory]
    [InlineData("10.0.2.7:15008")]
    [InlineData("10.0.2.7:15006")]
    [InlineData("10.0.2.7:15001")]
    public void Resolve_OurOwnListener_IsUnavailable(string authority) =>
        Assert.Equal(new InboundRefusal(503, RefuseReason.RecursiveCall, "attempted recursive call to ourselves"), Refused(Store(Local), Local, authority));

    [Fact]
    public void Resolve_Socks5Port_IsIllegalOnlyWhenSocks5IsOn()
    {
        var on = new RoutingContext { Socks5Enabled = true };

        Assert.Equal(At("10.0.2.7:15080"), Accepted(Store(Local), Local, "10.0.2.7:15080").Application);
        Assert.Equal(RefuseReason.RecursiveCall, Resolve(Store(Local), Local, "10.0.2.7:15080", on).Refusal!.Reason);
    }

    [Theory]
    [InlineData("nope.default.svc.cluster.local:80", RefuseReason.UnknownHostname, "no service or workload for hostname: nope.default.svc.cluster.local")]
    [InlineData("ECHO.default.svc.cluster.local:80", RefuseReason.UnknownHostname, "no service or workload for hostname: ECHO.default.svc.cluster.local")]
    [InlineData("echo:80", RefuseReason.UnknownHostname, "no service or workload for hostname: echo")]
    [InlineData("echo.default.svc.cluster.local:999", RefuseReason.UnknownServicePort, "requested service echo.default.svc.cluster.local:999 found, but cannot resolve port")]
    [InlineData("echo.default.svc.cluster.local:81", RefuseReason.UnknownServicePort, "requested service echo.default.svc.cluster.local:81 found, but cannot resolve port")]
    [InlineData("hidden.other.svc.cluster.local:80", RefuseReason.UnknownHostname, "no service or workload for hostname: hidden.other.svc.cluster.local")]
    [InlineData(
        "elsewhere.default.svc.cluster.local:80", RefuseReason.NotAnEndpoint,
        "requested service elsewhere.default.svc.cluster.local found, but this workload is not an endpoint of it")]
    public void Resolve_HostnameThatCannotBeServed_IsUnavailable(string authority, RefuseReason reason, string error)
    {
        MeshStore store = Store(Echo, Local, Service("elsewhere", "10.96.0.11"), Service("hidden", "10.96.0.12", "other") with { Visibility = ServiceVisibility.Namespace });

        Assert.Equal(new InboundRefusal(503, reason, error), Refused(store, Local, authority));
    }

    [Fact]
    public void Resolve_EndpointsOwnPort_WinsOverTheServices()
    {
        Workload local = Pod("local", "10.0.2.7", services: Of(Echo, (80, 9090), (81, 9091)));

        Assert.Equal(At("10.0.2.7:9090"), Accepted(Store(Echo, local), local, "echo.default.svc.cluster.local:80").Application);
        Assert.Equal(At("10.0.2.7:9091"), Accepted(Store(Echo, local), local, "echo.default.svc.cluster.local:81").Application);
    }

    [Fact]
    public void Resolve_HostnameOfAServiceThatStatesTheEndpoint_IsServed()
    {
        Workload local = Pod("local", "10.0.2.7");
        Service stated = Echo with { Endpoints = [new Endpoint(local.Uid, Ports((80, 7070)), HealthStatus.Healthy)] };

        Assert.Equal(At("10.0.2.7:7070"), Accepted(Store(stated, local), local, "echo.default.svc.cluster.local:80").Application);
        Assert.Equal("echo", Assert.Single(Accepted(Store(stated, local), local, "10.0.2.7:7070").Candidates).Name);
    }

    public static TheoryData<string, object[], string> Sandwiches => new()
    {
        { "service, waypoint by pod address", [Echo with { Waypoint = Gateway("10.0.2.7") }], "10.96.0.10:80" },
        { "service, waypoint by VIP", [Echo with { Waypoint = Gateway("10.96.0.99") }], "10.96.0.10:80" },
        { "service, waypoint by name", [Echo with { Waypoint = Gateway(WaypointService) }], "10.96.0.10:80" },
        { "service, weighted waypoint", [Echo with { WeightedWaypoints = [new WeightedWaypoint(Gateway("10.0.2.7"), 0)] }], "10.96.0.10:80" },
        { "workload, waypoint by pod address", [Pod("w", "10.0.2.8").With(static traits => traits with { Waypoint = Gateway("10.0.2.7") })], "10.0.2.8:80" },
        { "workload, waypoint by VIP", [Pod("w", "10.0.2.8").With(static traits => traits with { Waypoint = Gateway("10.96.0.99") })], "10.0.2.8:80" },
        { "workload, waypoint by name", [Pod("w", "10.0.2.8").With(static traits => traits with { Waypoint = Gateway(WaypointService) })], "10.0.2.8:80" },
        { "hostname of a service behind us", [Echo with { Waypoint = Gateway(WaypointService) }], "echo.default.svc.cluster.local:80" },
    };

    [Theory]
    [MemberData(nameof(Sandwiches))]
    public void Resolve_WaypointOfTheDestination_MayServeIt(string form, object[] behind, string authority)
    {
        Workload waypoint = Pod("waypoint", "10.0.2.7", services: Of(WaypointService));

        InboundTarget target = Accepted(Store([WaypointService, waypoint, .. behind]), waypoint, authority);

        Assert.True(LocalAddress.Equals(target.Application.Address), form);
    }

    [Theory]
    [InlineData("10.0.9.9")]        // the waypoint is another workload
    [InlineData("10.96.0.98")]      // the waypoint is another service
    [InlineData("10.0.9.8")]        // nobody knows the waypoint
    public void Resolve_WaypointOfSomethingElse_IsABadRequest(string waypoint)
    {
        Workload local = Pod("local", "10.0.2.7");
        Service other = Service("other", "10.96.0.98");
        MeshStore store = Store(local, other, Pod("wp", "10.0.9.9", services: Of(other)), Echo with { Waypoint = Gateway(waypoint) });

        Assert.Equal(RefuseReason.AddressMismatch, Refused(store, local, "10.96.0.10:80").Reason);
    }

    [Theory]
    [InlineData(ApplicationProtocol.Proxy, 15088, "10.96.0.10:80", "10.0.2.7:15088", "10.96.0.10:80")]
    [InlineData(ApplicationProtocol.Proxy, 0, "10.96.0.10:80", "10.0.2.7:80", "10.96.0.10:80")]
    [InlineData(ApplicationProtocol.None, 15088, "203.0.113.1:80", "10.0.2.7:15088", "203.0.113.1:80")]      // any address is accepted
    [InlineData(ApplicationProtocol.Proxy, 15088, "echo.default.svc.cluster.local:80", "10.0.2.7:15088", "10.96.0.10:80")]   // the service port, not its target
    public void Resolve_ApplicationTunnel_TakesEverythingToItsPort(ApplicationProtocol protocol, int port, string authority, string application, string tunnelTarget)
    {
        Workload local = Tunnelled(protocol, port);

        InboundTarget target = Accepted(Store(Echo, local), local, authority);

        Assert.Equal((At(application), protocol, At(tunnelTarget)), (target.Application, target.Protocol, target.TunnelTarget));
    }

    [Theory]
    [InlineData(ApplicationProtocol.Proxy)]
    [InlineData(ApplicationProtocol.None)]
    public void Resolve_ApplicationTunnelForAServiceWithoutAddress_IsUnavailable(ApplicationProtocol protocol)
    {
        Workload local = Tunnelled(protocol, 15088);

        InboundRefusal refusal = Refused(Store(Service("headless"), local), local, "headless.default.svc.cluster.local:80");

        Assert.Equal(new InboundRefusal(503, RefuseReason.ServiceWithoutAddress, "requested service headless.default.svc.cluster.local found, but has no IP addresses"), refusal);
    }

    [Fact]
    public void Resolve_ApplicationTunnelForAServiceWithSeveralVips_PrefersOwnNetworkThenIPv4ThenTheLast()
    {
        Service many = Echo with
        {
            Vips = [Vip("", "10.96.0.1"), Vip("", "10.96.0.2"), Vip("", "fd00::1"), Vip("other", "10.96.0.3")],
        };
        Workload local = Tunnelled(ApplicationProtocol.Proxy, 15088);

        Assert.Equal(At("10.96.0.2:80"), TunnelTarget(many));
        Assert.Equal(At("[fd00::1]:80"), TunnelTarget(many with { Vips = [Vip("", "fd00::1"), Vip("other", "10.96.0.3")] }));
        Assert.Equal(At("10.96.0.3:80"), TunnelTarget(many with { Vips = [Vip("other", "10.96.0.4"), Vip("other", "10.96.0.3")] }));

        IPEndPoint? TunnelTarget(Service service) => Accepted(Store(service, local), local, "echo.default.svc.cluster.local:80").TunnelTarget;
        static NetworkAddress Vip(string network, string ip) => new(network, IPAddress.Parse(ip));
    }

    [Theory]
    [InlineData("b.default.svc.cluster.local", 8080, "b")]      // the header names it
    [InlineData("unknown", 8080, "a")]                          // the first that has the port as target
    [InlineData(null, 9090, "b")]                               // the endpoint's own mapping
    [InlineData(null, 1, null)]
    public void GuessService_ByHostThenByPort(string? forwardedHost, int port, string? expected)
    {
        Service a = Service("a", "10.96.0.1");
        Service b = Service("b", "10.96.0.2");
        Workload local = Pod("local", "10.0.2.7", services: [Of(a), Of(b, (80, 9090))]);
        MeshSnapshot mesh = Store(a, b, local).Current;

        Assert.Equal(expected, InboundRouter.GuessService(mesh, InboundRouter.ServicesOf(mesh, local), local, forwardedHost, port)?.Name);
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("net1", false)]
    [InlineData("NET1", false)]
    [InlineData("net2", true)]
    [InlineData("", true)]
    public void IsFromGateway_AnotherNetworkNamed(string? header, bool expected) => Assert.Equal(expected, InboundRouter.IsFromGateway(new RoutingContext("net1"), header));

    private static readonly Service WaypointService = Service("waypoint", "10.96.0.99", ports: (15008, 15008));

    private static Workload Tunnelled(ApplicationProtocol protocol, int port) =>
        Pod("local", "10.0.2.7").With(traits => traits with { ApplicationTunnel = new ApplicationTunnel(protocol, (ushort)port) });

    private static InboundDecision Resolve(MeshStore store, Workload local, string authority, RoutingContext? context = null)
    {
        Assert.True(InboundRouter.TryParseAuthority(authority, out ConnectAuthority? parsed, out _));
        return InboundRouter.Resolve(store.Current, context ?? new RoutingContext(), local, LocalAddress, parsed);
    }

    private static InboundTarget Accepted(MeshStore store, Workload local, string authority)
    {
        InboundDecision decision = Resolve(store, local, authority);
        Assert.True(decision.Target is not null, decision.Refusal?.Error);
        return decision.Target;
    }

    private static InboundRefusal Refused(MeshStore store, Workload local, string authority)
    {
        InboundDecision decision = Resolve(store, local, authority);
        Assert.True(decision.Refusal is not null, $"accepted for {decision.Target?.Application}");
        return decision.Refusal;
    }
}
