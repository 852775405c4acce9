using System.Net;
using Google.Protobuf;
using Ztunnel.ControlPlane.Xds.Translation;
using Ztunnel.Mesh.Model;
using Ztunnel.Protos.Security;
using static Ztunnel.ControlPlane.Tests.Xds.Resources;
using StringMatch = Ztunnel.Protos.Security.StringMatch;
using Wire = Ztunnel.Protos.Workloads;

namespace Ztunnel.ControlPlane.Tests.Xds;

public sealed class TranslationTests
{
    [Fact]
    public void Workload_WithTheLeast_HasTheDefaultsOfTheWire()
    {
        Workload workload = WorkloadTranslator.Translate(new Wire.Workload { Uid = "u", Namespace = "shop" });

        Assert.Equal("spiffe://cluster.local/ns/shop/sa/default", workload.Identity.Text);
        Assert.Equal(("Kubernetes", "deployment", 1u), (workload.ClusterId, workload.WorkloadType, workload.Capacity));
        Assert.Equal((TunnelProtocol.None, HealthStatus.Healthy, NetworkMode.Standard), (workload.Protocol, workload.Status, workload.NetworkMode));
    }

    [Fact]
    public void Workload_MappedAddresses_AreIPv4()
    {
        Workload workload = WorkloadTranslator.Translate(new Wire.Workload { Uid = "u", Addresses = { ByteString.CopyFrom(IPAddress.Parse("::ffff:10.0.0.1").GetAddressBytes()), Bytes("fd00::1") } });

        Assert.Equal(["10.0.0.1", "fd00::1"], workload.Addresses.ToArray().Select(static a => a.ToString()));
    }

    [Fact]
    public void Workload_ServicesInAnyOrder_AreEqual()
    {
        Wire.Workload one = new() { Uid = "u", Services = { ["a/x"] = new(), ["b/y"] = new() } };
        Wire.Workload two = new() { Uid = "u", Services = { ["b/y"] = new(), ["a/x"] = new() } };

        Assert.Equal(WorkloadTranslator.Translate(one), WorkloadTranslator.Translate(two));
    }

    public static TheoryData<string, Wire.Workload> BadWorkloads => new()
    {
        { "workload without uid", new Wire.Workload() },
        { "failed to parse address, had 5 bytes", new Wire.Workload { Uid = "u", Addresses = { ByteString.CopyFrom(1, 2, 3, 4, 5) } } },
        { "failed to parse address, had 0 bytes", new Wire.Workload { Uid = "u", Addresses = { ByteString.Empty } } },
        { "failed to parse address, had 9 bytes", new Wire.Workload { Uid = "u", Addresses = { Bytes("10.0.0.1"), ByteString.CopyFrom(new byte[9]) } } },
        { "unknown enum: tunnel protocol 2", new Wire.Workload { Uid = "u", TunnelProtocol = Wire.TunnelProtocol.LegacyIstioMtls } },
        { "unknown enum: tunnel protocol 9", new Wire.Workload { Uid = "u", TunnelProtocol = (Wire.TunnelProtocol)9 } },
        { "unknown enum: network mode 7", new Wire.Workload { Uid = "u", NetworkMode = (Wire.NetworkMode)7 } },
        { "unknown enum: application tunnel protocol 5", new Wire.Workload { Uid = "u", ApplicationTunnel = new() { Protocol = (Wire.ApplicationTunnel.Types.Protocol)5 } } },
        { "nonempty gateway address is missing address", new Wire.Workload { Uid = "u", Waypoint = new() } },
        { "failed to parse address, had 1 bytes", new Wire.Workload { Uid = "u", NetworkGateway = new() { Address = new() { Address = ByteString.CopyFrom(1) } } } },
        { "failed to parse namespaced hostname: cart", new Wire.Workload { Uid = "u", Services = { ["cart"] = new() } } },
        { "port 65616 is out of range", new Wire.Workload { Uid = "u", Services = { ["a/b"] = new() { Ports = { new Wire.Port { ServicePort = 65616 } } } } } },
    };

    [Theory]
    [MemberData(nameof(BadWorkloads))]
    public void Workload_Unusable_IsRejectedWithTheReason(string reason, Wire.Workload wire) =>
        Assert.Equal(reason, Assert.Throws<RejectedResourceException>(() => WorkloadTranslator.Translate(wire)).Message);

    [Fact]
    public void Workload_OfANewerControlPlane_IsKeptWithTheCautiousReading()
    {
        Workload workload = WorkloadTranslator.Translate(new Wire.Workload { Uid = "u", Status = (Wire.WorkloadStatus)5, WorkloadType = (Wire.WorkloadType)12 });

        Assert.Equal((HealthStatus.Unhealthy, "deployment"), (workload.Status, workload.WorkloadType));
    }

    [Fact]
    public void Service_Addresses_AreVipsOrPrefixes()
    {
        Service service = ServiceTranslator.Translate(new Wire.Service
        {
            Namespace = "shop",
            Hostname = "cart",
            Addresses =
            {
                new Wire.NetworkAddress { Address = Bytes("10.0.0.1") },
                new Wire.NetworkAddress { Network = "n", Address = Bytes("10.0.0.2"), Length = 32 },
                new Wire.NetworkAddress { Address = Bytes("10.1.2.3"), Length = 16 },
                new Wire.NetworkAddress { Address = ByteString.CopyFrom(IPAddress.Parse("::ffff:10.2.0.0").GetAddressBytes()), Length = 112 },
                new Wire.NetworkAddress { Address = ByteString.CopyFrom(IPAddress.Parse("::ffff:10.3.0.1").GetAddressBytes()), Length = 128 },
                new Wire.NetworkAddress { Address = Bytes("fd00::"), Length = 8 },
                new Wire.NetworkAddress { Address = Bytes("0.0.0.0"), Length = 0 },
            },
        });

        Assert.Equal(["/10.0.0.1", "n/10.0.0.2", "/10.3.0.1"], service.Vips.Select(static v => v.ToString()));
        Assert.Equal(["10.1.2.3/16", "10.2.0.0/16", "fd00::/8", "0.0.0.0/0"], service.CidrVips.Select(static c => c.Cidr.ToString()));
    }

    public static TheoryData<string, Wire.Service> BadServices => new()
    {
        { "service without hostname", new Wire.Service() },
        { "failed to parse address, had 3 bytes", new Wire.Service { Hostname = "h", Addresses = { new Wire.NetworkAddress { Address = ByteString.CopyFrom(1, 2, 3) } } } },
        { "invalid cidr: 10.0.0.1/33", new Wire.Service { Hostname = "h", Addresses = { new Wire.NetworkAddress { Address = Bytes("10.0.0.1"), Length = 33 } } } },
        { "nonempty gateway address is missing address", new Wire.Service { Hostname = "h", Waypoint = new() } },
        { "weighted waypoint without destination", new Wire.Service { Hostname = "h", WeightedWaypoints = { new Wire.WeightedWaypoint { Weight = 1 } } } },
        { "unknown enum: routing preference 0", new Wire.Service { Hostname = "h", LoadBalancing = new() { RoutingPreference = { Wire.LoadBalancing.Types.Scope.UnspecifiedScope } } } },
        { "port 70000 is out of range", new Wire.Service { Hostname = "h", Ports = { new Wire.Port { ServicePort = 80, TargetPort = 70000 } } } },
    };

    [Theory]
    [MemberData(nameof(BadServices))]
    public void Service_Unusable_IsRejectedWithTheReason(string reason, Wire.Service wire) =>
        Assert.Equal(reason, Assert.Throws<RejectedResourceException>(() => ServiceTranslator.Translate(wire)).Message);

    [Fact]
    public void Service_OfANewerControlPlane_KeepsWhatIsKnown()
    {
        Service service = ServiceTranslator.Translate(new Wire.Service
        {
            Hostname = "h",
            IpFamilies = (Wire.IPFamilies)9,
            Visibility = (Wire.Service.Types.Visibility)9,
            LoadBalancing = new()
            {
                Mode = (Wire.LoadBalancing.Types.Mode)9,
                HealthPolicy = (Wire.LoadBalancing.Types.HealthPolicy)9,
                RoutingPreference = { Wire.LoadBalancing.Types.Scope.Zone, (Wire.LoadBalancing.Types.Scope)99 },
            },
        });

        Assert.Equal((IpFamilies.Unspecified, ServiceVisibility.Public), (service.IpFamilies, service.Visibility));
        Assert.Equal(new LoadBalancer([LocalityScope.Zone], LoadBalancerMode.Standard, HealthPolicy.OnlyHealthy), service.LoadBalancer);
    }

    public static TheoryData<Match, int, string> UnreadableMatches => new()
    {
        { new Match { SourceIps = { new Address { Address_ = Bytes("10.0.0.0"), Length = 40 } } }, (int)MatchKinds.SourceIps, "source_ips: invalid cidr: 10.0.0.0/40" },
        { new Match { NotSourceIps = { new Address { Address_ = ByteString.CopyFrom(1) } } }, (int)MatchKinds.SourceIps, "not_source_ips: failed to parse address, had 1 bytes" },
        { new Match { DestinationIps = { new Address { Address_ = Bytes("10.0.0.0"), Length = 280 } } }, (int)MatchKinds.DestinationIps, "destination_ips: invalid cidr: 10.0.0.0/280" },
        { new Match { NotDestinationIps = { new Address() } }, (int)MatchKinds.DestinationIps, "not_destination_ips: failed to parse address, had 0 bytes" },
        { new Match { DestinationPorts = { 65616 } }, (int)MatchKinds.DestinationPorts, "destination_ports: port 65616 is out of range" },
        { new Match { NotDestinationPorts = { 65536 } }, (int)MatchKinds.DestinationPorts, "not_destination_ports: port 65536 is out of range" },
        { new Match { Principals = { new StringMatch() } }, (int)MatchKinds.Principals, "principals: a string match of no known kind" },
        { new Match { NotPrincipals = { new StringMatch() } }, (int)MatchKinds.Principals, "not_principals: a string match of no known kind" },
        { new Match { Namespaces = { new StringMatch() } }, (int)MatchKinds.Namespaces, "namespaces: a string match of no known kind" },
        { new Match { NotNamespaces = { new StringMatch() } }, (int)MatchKinds.Namespaces, "not_namespaces: a string match of no known kind" },
    };

    [Theory]
    [MemberData(nameof(UnreadableMatches))]
    public void Policy_EntryThatCannotBeUnderstood_MarksItsKindAndIsReported(Match match, int kind, string problem)
    {
        Policy policy = PolicyTranslator.Translate(Authorization("p", match, new Match { DestinationPorts = { 80 } }), out IReadOnlyList<string> problems);

        Assert.Equal([problem], problems);
        Assert.Equal([(MatchKinds)kind, MatchKinds.None], policy.Rules[0].Clauses[0].Matches.Select(static m => m.Unreadable));
        Assert.False(policy.Rules[0].Clauses[0].Matches[0].IsEmpty);
    }

    [Theory]
    [InlineData(3, 0, "unknown enum: scope 3")]
    [InlineData(0, 2, "unknown enum: action 2")]
    public void Policy_UnknownScopeOrAction_IsRejected(int scope, int action, string reason) => Assert.Equal(
        reason,
        Assert.Throws<RejectedResourceException>(() => PolicyTranslator.Translate(new() { Name = "p", Namespace = "n", Scope = (Scope)scope, Action = (Protos.Security.Action)action }, out _)).Message);
}
