using System.Net;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Authorization.PolicyEvaluatorTests;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.State;

/// <summary>Look-ups and their rankings: control-path 5.5 and the "Services" and "Addresses" vectors of 13.</summary>
public sealed class MeshSnapshotTests
{
    [Fact]
    public void FindWorkload_SeveralWithOneAddress_PodSpeakingHboneFirst()
    {
        Workload other = Entry("other", TunnelProtocol.None);
        Workload hbone = Entry("hbone", TunnelProtocol.Hbone);
        Workload pod = Pod("pod", "10.0.0.1", protocol: TunnelProtocol.None);
        Workload both = Pod("both", "10.0.0.1");
        MeshStore store = Store(both, other, pod, hbone);

        foreach (Workload expected in (Workload[])[both, pod, hbone, other])
        {
            Assert.Equal(expected.Uid, Find(store)!.Uid);
            store.Apply(Update(expected.Uid));   // removal falls back to the next
        }
        Assert.Null(Find(store));

        static Workload Entry(string name, TunnelProtocol protocol) => Pod(name, "10.0.0.1", protocol: protocol) with { Uid = $"cluster/networking/WorkloadEntry/default/{name}" };
    }

    [Fact]
    public void FindWorkload_Equals_TheLatestWins()
    {
        MeshStore store = Store(Pod("a", "10.0.0.1"), Pod("b", "10.0.0.1"));
        Assert.Equal("b", Find(store)!.Name);

        store.Apply(Update(Pod("a", "10.0.0.1") with { Status = HealthStatus.Unhealthy }));

        Assert.Equal("a", Find(store)!.Name);
    }

    [Fact]
    public void FindWorkload_OtherNetworkOrHostNetwork_IsNotFound()
    {
        MeshStore store = Store(Pod("a", "10.0.0.1", network: "net2"), Pod("host", "10.0.0.2").With(static traits => traits with { NetworkMode = NetworkMode.HostNetwork }));

        Assert.Null(Find(store));
        Assert.NotNull(store.Current.FindWorkload("net2", IPAddress.Parse("10.0.0.1")));
        Assert.Null(store.Current.FindWorkload("", IPAddress.Parse("10.0.0.2")));
        Assert.NotNull(store.Current.FindWorkloadByUid("cluster//Pod/default/host"));
    }

    [Fact]
    public void FindWorkload_AddressMappedIntoIPv6_IsTheIPv4One()
    {
        MeshStore store = Store(Pod("a", "::ffff:10.0.0.1"));

        Assert.Equal("a", Find(store)!.Name);
        Assert.Equal("10.0.0.1", Find(store)!.Addresses.ToString());
    }

    [Fact]
    public void FindWorkload_SameAddressTwiceInOneRecord_GoesAwayWithIt()
    {
        MeshStore store = Store(Pod("a") with { Addresses = Ips("10.0.0.1", "10.0.0.1", "fd00::1") });

        store.Apply(Update("cluster//Pod/default/a"));

        Assert.Null(Find(store));
        Assert.Equal(0, store.Current.WorkloadsByAddress.Count);
    }

    [Fact]
    public void FindLocalWorkload_OnlyThoseOfThisNode()
    {
        MeshStore store = Store(Pod("here", "10.0.0.1", account: "sa"), Pod("there", "10.0.0.2", account: "sa") with { Node = "node-2" });

        Assert.Equal("10.0.0.1", store.Current.FindLocalWorkload(new LocalWorkloadKey("here", "default", "sa"))!.Addresses.ToString());
        Assert.Null(store.Current.FindLocalWorkload(new LocalWorkloadKey("there", "default", "sa")));
        Assert.Null(store.Current.FindLocalWorkload(new LocalWorkloadKey("here", "default", "other")));
        Assert.Null(store.Current.FindLocalWorkload(new LocalWorkloadKey("here", "other", "sa")));
        Assert.Equal(["here"], store.Current.LocalWorkloads.Select(static workload => workload.Name));

        var everywhere = new MeshStore(localNode: null);
        everywhere.Apply(Update(Pod("there", "10.0.0.2") with { Node = "node-2" }));
        Assert.NotNull(everywhere.Current.FindLocalWorkload(new LocalWorkloadKey("there", "default", "there")));
    }

    [Theory]
    [InlineData("ns-a", "ns-a")]
    [InlineData("ns-b", "ns-b")]
    [InlineData("ns-c", "canonical")]
    [InlineData(null, "canonical")]
    public void FindService_OneVipInSeveralNamespaces_OwnThenCanonical(string? client, string expected)
    {
        MeshStore store = Store(In("ns-b"), In("ns-a"), In("canonical") with { Canonical = true });

        Assert.Equal(expected, store.Current.FindService("", IPAddress.Parse("10.96.0.10"), client)!.Namespace);
        Assert.Equal(expected, store.Current.FindServiceByHostname("shared.example.com", client)!.Namespace);
    }

    [Fact]
    public void FindService_NoRankApplies_TheFirstByNameWhateverTheOrderOfArrival()
    {
        Assert.Equal("ns-a", Store(In("ns-b"), In("ns-a")).Current.FindServiceByHostname("shared.example.com", "ns-c")!.Namespace);
        Assert.Equal("ns-a", Store(In("ns-a"), In("ns-b")).Current.FindServiceByHostname("shared.example.com", "ns-c")!.Namespace);
    }

    [Fact]
    public void FindServiceByHostname_ForDns_PrefersANamespaceAfterCanonicalAndLeavesOutWhatIsExcluded()
    {
        MeshSnapshot mesh = Store(In("ns-a"), In("ns-b"), In("ns-c")).Current;

        Assert.Equal("ns-b", mesh.FindServiceByHostname("shared.example.com", "x", preferredNamespace: "ns-b")!.Namespace);
        Assert.Equal("ns-c", mesh.FindServiceByHostname("shared.example.com", "ns-c", preferredNamespace: "ns-b")!.Namespace);
        Assert.Equal("ns-a", mesh.FindServiceByHostname("shared.example.com", "ns-c", "ns-b", static service => service.Namespace == "ns-a")!.Namespace);
        Assert.Null(mesh.FindServiceByHostname("shared.example.com", "ns-c", include: static _ => false));
        Assert.Equal("ns-a", Store(In("ns-a") with { Canonical = true }, In("ns-b")).Current.FindServiceByHostname("shared.example.com", "x", "ns-b")!.Namespace);
    }

    [Fact]
    public void FindService_OfItsNamespaceOnly_IsHiddenFromOthersAndFallsThrough()
    {
        Service hidden = In("ns-a") with { Visibility = ServiceVisibility.Namespace };
        Service range = Service("range", @namespace: "ns-b") with { CidrVips = [new NetworkCidr("", Cidr("10.96.0.0/16"))] };
        MeshSnapshot mesh = Store(hidden, range).Current;
        IPAddress vip = IPAddress.Parse("10.96.0.10");

        Assert.Equal("ns-a", mesh.FindService("", vip, "ns-a")!.Namespace);
        Assert.Equal("range", mesh.FindService("", vip, "ns-c")!.Name);
        Assert.Equal("ns-a", mesh.FindService("", vip, clientNamespace: null)!.Namespace);
        Assert.Null(mesh.FindServiceByHostname("shared.example.com", "ns-c"));
        Assert.Null(Store(range with { Visibility = ServiceVisibility.Namespace }).Current.FindService("", vip, "ns-c"));
    }

    [Theory]
    [InlineData("10.0.1.1", "client", "exact")]           // exact beats any prefix
    [InlineData("10.0.1.2", "other", "long")]             // the longest prefix
    [InlineData("10.0.2.2", "other", "short")]
    [InlineData("10.0.1.2", "mine", "mine-short")]        // /16 of the own namespace beats a foreign /24
    [InlineData("10.1.0.1", "other", null)]
    [InlineData("fd00::1", "other", "six")]
    [InlineData("fe00::1", "other", null)]
    public void FindService_Prefixes(string address, string client, string? expected)
    {
        MeshSnapshot mesh = Store(
            Service("exact", "10.0.1.1"),
            Ranged("short", "10.0.0.0/16"), Ranged("long", "10.0.1.7/24"), Ranged("mine-short", "10.0.0.0/16", "mine"), Ranged("six", "fd00::/16"),
            Ranged("elsewhere", "10.1.0.0/16") with { CidrVips = [new NetworkCidr("net2", Cidr("10.1.0.0/16"))] }).Current;

        Assert.Equal(expected, mesh.FindService("", IPAddress.Parse(address), client)?.Name);
    }

    [Fact]
    public void FindService_EqualPrefixes_CanonicalThenByName()
    {
        MeshSnapshot mesh = Store(Ranged("b", "10.0.0.0/16"), Ranged("a", "10.0.0.0/16"), Ranged("z", "10.0.0.0/16") with { Canonical = true }).Current;

        Assert.Equal("z", mesh.FindService("", IPAddress.Parse("10.0.0.1"), "client")!.Name);
    }

    [Fact]
    public void FindService_PrefixOwnerChanges_NoCopyStays()
    {
        Service ranged = Ranged("range", "10.0.0.0/16");
        MeshStore store = Store(ranged, Pod("e1", "10.9.0.1", services: Of(ranged)));

        store.Apply(Update(Pod("e2", "10.9.0.2", services: Of(ranged)), "cluster//Pod/default/e1"));
        Service found = store.Current.FindService("", IPAddress.Parse("10.0.0.1"), "default")!;
        Assert.Equal(["e2"], store.Current.FindEndpoints(found.Key)!.All.Select(static member => member.Workload.Name));

        store.Apply(Update(ranged with { CidrVips = [new NetworkCidr("", Cidr("10.5.0.0/16")), new NetworkCidr("", Cidr("10.5.1.1/16"))] }));
        Assert.Null(store.Current.FindService("", IPAddress.Parse("10.0.0.1"), "default"));
        Assert.NotNull(store.Current.FindService("", IPAddress.Parse("10.5.0.1"), "default"));

        store.Apply(Update("default/range.default.svc.cluster.local"));
        Assert.Null(store.Current.FindService("", IPAddress.Parse("10.5.0.1"), "default"));
    }

    [Fact]
    public void FindAddress_WorkloadBeforeService()
    {
        MeshSnapshot mesh = Store(Service("echo", "10.0.0.1"), Pod("a", "10.0.0.1"), Service("only", "10.0.0.2")).Current;

        Assert.Equal(("a", null), (mesh.FindAddress("", IPAddress.Parse("10.0.0.1"), null).Workload?.Name, mesh.FindAddress("", IPAddress.Parse("10.0.0.1"), null).Service?.Name));
        Assert.Equal("only", mesh.FindAddress("", IPAddress.Parse("10.0.0.2"), null).Service!.Name);
        Assert.Equal(default, mesh.FindAddress("", IPAddress.Parse("10.0.0.3"), null));
    }

    [Fact]
    public void FindWorkloadByHostname_NamespaceAndNameMustAgree()
    {
        MeshStore store = Store(Pod("vm", "10.0.0.1").With(static traits => traits with { Hostname = "db.example.com" }));

        Assert.Equal("vm", store.Current.FindWorkloadByHostname(new NamespacedName("default", "db.example.com"))!.Name);
        Assert.Null(store.Current.FindWorkloadByHostname(new NamespacedName("other", "db.example.com")));

        store.Apply(Update(Pod("vm", "10.0.0.1")));
        Assert.Null(store.Current.FindWorkloadByHostname(new NamespacedName("default", "db.example.com")));
    }

    private static Workload? Find(MeshStore store) => store.Current.FindWorkload("", IPAddress.Parse("10.0.0.1"));

    private static Service In(string @namespace) => Service("shared", "10.96.0.10", @namespace) with { Hostname = "shared.example.com" };

    private static Service Ranged(string name, string cidr, string @namespace = "default") =>
        Service(name, @namespace: @namespace) with { CidrVips = new[] { new NetworkCidr("", Cidr(cidr)) }.ToValueArray() };
}
