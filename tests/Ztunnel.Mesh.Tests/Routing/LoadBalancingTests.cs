using System.Net;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Routing;

/// <summary>Locality, weights, load and avoidance: data-path 2.3, vectors of control-path 13.</summary>
public sealed class LoadBalancingTests
{
    private static readonly LocalityScope[] NetworkRegionZone = [LocalityScope.Network, LocalityScope.Region, LocalityScope.Zone];

    [Theory]
    [InlineData("net", "reg", "zone", "M")]
    [InlineData("net", "reg", "", "A,M")]
    [InlineData("net", "x", "x", "A,M,N")]
    [InlineData("other", "reg", "zone", "O")]           // the own network first: O shares it
    [InlineData("third", "reg", "zone", "M,O")]
    [InlineData("third", "x", "x", "A,M,N,O")]
    public void Select_Failover_KeepsTheClosest(string network, string region, string zone, string expected)
    {
        MeshStore store = Vectors(LoadBalancerMode.Failover);

        Assert.Equal(expected, string.Join(',', FirstChoices(store, Source(network, region, zone))));
    }

    [Theory]
    [InlineData("net", "reg", "zone", "M")]
    [InlineData("net", "reg", "", "")]
    [InlineData("x", "x", "x", "")]
    public void Select_Strict_KeepsOnlyWhatMatchesAll(string network, string region, string zone, string expected)
    {
        MeshStore store = Vectors(LoadBalancerMode.Strict);

        Assert.Equal(expected, string.Join(',', FirstChoices(store, Source(network, region, zone))));
    }

    [Fact]
    public void Select_UnspecifiedMode_IgnoresLocality()
    {
        MeshStore store = Vectors(LoadBalancerMode.Standard);

        Assert.Equal("A,M,N,O", string.Join(',', FirstChoices(store, Source("net", "reg", "zone"))));
    }

    [Theory]
    [InlineData("N+R+Z", 5)]
    [InlineData("N+R", 4)]
    [InlineData("N", 3)]
    [InlineData("R+Z", 2)]
    [InlineData("R", 1)]
    [InlineData("", 0)]
    [InlineData("Z", 0)]        // the zone of another region counts for nothing
    [InlineData("N+Z", 3)]
    public void Rank_NetworkFirst_OutranksEveryOtherNetwork(string matching, int rank)
    {
        Workload endpoint = Pod("e", "10.0.0.1", network: matching.Contains('N') ? "net" : "else") with
        {
            Locality = new Locality(matching.Contains('R') ? "reg" : "else", matching.Contains('Z') ? "zone" : "else"),
        };
        var query = new EndpointQuery(IsWaypoint: false, 0, "net", "reg", "zone", "", "", "");

        Assert.Equal(rank, LocalityRank.Of(endpoint, query, new LoadBalancer(NetworkRegionZone.ToValueArray(), LoadBalancerMode.Failover, HealthPolicy.OnlyHealthy)));
    }

    [Theory]
    [InlineData(LocalityScope.Region)]
    [InlineData(LocalityScope.Zone)]
    [InlineData(LocalityScope.Subzone)]
    [InlineData(LocalityScope.Node)]
    [InlineData(LocalityScope.Cluster)]
    [InlineData(LocalityScope.Network)]
    public void Select_EachScope_ComparesItsOwnField(LocalityScope scope)
    {
        Service service = Balanced("echo", LoadBalancerMode.Strict, scope);
        Workload near = Located("near", "same", service);
        Workload far = Located("far", "different", service);
        Workload source = Located("client", "same") with { Addresses = Ips("10.0.1.5") };
        if (scope == LocalityScope.Network) far = far.With(static traits => traits with { NetworkGateway = Gateway("192.0.2.1") });
        MeshStore store = Store(source, service with { Vips = VipIn("", "same") }, near, far);

        Route route = store.Route(source, "10.96.0.10:80");

        Assert.Equal(["near"], route.Candidates());
    }

    [Fact]
    public void TryNext_Failover_GoesOnToLowerRanks()
    {
        MeshStore store = Vectors(LoadBalancerMode.Failover);

        // O is on another network and has no gateway, so it is passed over.
        Assert.Equal(["M", "A", "N"], store.Route(Source("net", "reg", "zone"), "10.96.0.10:80").Candidates());
    }

    [Fact]
    public void TryNext_ManyEndpoints_OffersEachOnceAndEndsAtTheLimit()
    {
        (MeshStore store, Workload client) = Many(1_000);

        List<string?> candidates = store.Route(client, "10.96.0.10:80", new Seeded(1)).Candidates();

        Assert.Equal(Route.MaxCandidates, candidates.Count);
        Assert.Equal(candidates.Count, candidates.Distinct().Count());
    }

    [Fact]
    public void Select_CapacityWithoutLoad_IsFollowedExactly()
    {
        Service echo = Service("echo", "10.96.0.10");
        MeshStore store = Store(Client, echo, Sized("one", "10.0.2.1", 1), Sized("three", "10.0.2.2", 3), Sized("none", "10.0.2.3", 0));
        var random = new Seeded(3);

        ILookup<string, int> choices = Enumerable.Range(0, 20_000).ToLookup(_ => store.Route(Client, "10.96.0.10:80", random).First!.Workload!.Name);

        Assert.InRange(choices["three"].Count() / 20_000.0, 0.73, 0.77);
        Assert.Empty(choices["none"]);

        Workload Sized(string name, string ip, uint capacity) => Pod(name, ip, services: Of(echo)).With(traits => traits with { Capacity = capacity });
    }

    [Fact]
    public void Select_AllCapacityZero_FindsNothing()
    {
        Service echo = Service("echo", "10.96.0.10");
        Workload idle = Pod("idle", "10.0.2.1", services: Of(echo)).With(static traits => traits with { Capacity = 0 });

        Assert.Equal(RefuseReason.NoHealthyUpstream, Store(Client, echo, idle).Route(Client, "10.96.0.10:80").Reason);
    }

    [Fact]
    public void Select_ManyConnections_AreSpreadByLoadForTheirCapacity()
    {
        Service echo = Service("echo", "10.96.0.10");
        MeshStore store = Store([Client, echo, .. Enumerable.Range(0, 20).Select(Sized)]);
        var load = new Load();
        var random = new Seeded(5);

        for (int i = 0; i < 3_000; i++) load.Open(store.Route(Client, "10.96.0.10:80", random, load).First!.Workload!);

        // 100 for each unit of capacity; blind random choice would spread by ±25 and more.
        for (int i = 0; i < 20; i++) Assert.InRange(load.ConnectionsOf($"e{i}") / (double)CapacityOf(i), 92, 108);

        object Sized(int i) => Pod($"e{i}", $"10.0.2.{i + 1}", services: Of(echo)).With(traits => traits with { Capacity = CapacityOf(i) });
        static uint CapacityOf(int i) => i < 10 ? 1u : 2u;
    }

    [Fact]
    public void Select_LoadedEndpointOfTwo_IsLeftAlone()
    {
        Service echo = Service("echo", "10.96.0.10");
        MeshStore store = Store(Client, echo, Pod("busy", "10.0.2.1", services: Of(echo)), Pod("idle", "10.0.2.2", services: Of(echo)));
        var load = new Load();
        for (int i = 0; i < 50; i++) load.Open(store.Current.FindWorkloadByUid("cluster//Pod/default/busy")!);

        // Draws: busy first, then idle as the other one.
        Assert.Equal("idle", store.Route(Client, "10.96.0.10:80", new Sequence(0, 1), load).First!.Workload!.Name);
        Assert.Equal("busy", store.Route(Client, "10.96.0.10:80", new Sequence(0, 1)).First!.Workload!.Name);
    }

    [Fact]
    public void Select_AvoidedEndpoints_ComeLast()
    {
        MeshStore store = Vectors(LoadBalancerMode.Failover);
        var load = new Load { Avoided = { "M" } };

        List<string?> candidates = store.Route(Source("net", "reg", "zone"), "10.96.0.10:80", load: load).Candidates();

        Assert.Equal(["A", "N", "M"], candidates);
    }

    [Fact]
    public void Select_AllAvoided_StillOffersThem()
    {
        MeshStore store = Vectors(LoadBalancerMode.Failover);
        var load = new Load { Avoided = { "M", "A", "N", "O" } };

        Assert.Equal("M", store.Route(Source("net", "reg", "zone"), "10.96.0.10:80", load: load).First!.Workload!.Name);
    }

    [Fact]
    public void Select_AfterAnEndpointLeft_NeverOffersIt()
    {
        (MeshStore store, Workload client) = Many(50);
        var random = new Seeded(9);
        for (int i = 0; i < 50; i++) store.Route(client, "10.96.0.10:80", random);   // the table is in use, so the writer prepares the next one

        store.Apply(new MeshUpdate { RemovedAddresses = { "cluster//Pod/default/e7" } });

        Assert.DoesNotContain("e7", Enumerable.Range(0, 500).Select(_ => store.Route(client, "10.96.0.10:80", random).First!.Workload!.Name));
        Assert.Equal(49, store.Current.Services.Sum(service => store.Current.FindEndpoints(service.Key)!.Count));
    }

    [Fact]
    public void Draw_UnequalWeights_MatchThemExactly()
    {
        uint[] weights = [1, 2, 3, 10, 4_000_000_000];
        var choice = new WeightedChoice(weights);

        // Every column and a regular grid of heights: the share of an index is its weight's share, up to the grid.
        var shares = new double[weights.Length];
        ulong sum = (ulong)weights.Sum(static weight => (long)weight);
        const int Grid = 10_000;
        for (ulong column = 0; column < (ulong)weights.Length; column++)
        {
            for (ulong step = 0; step < Grid; step++) shares[choice.Draw(new Sequence(column, sum / Grid * step))]++;
        }
        for (int i = 0; i < weights.Length; i++) Assert.Equal((double)weights[i] / sum, shares[i] / (Grid * weights.Length), 3);
    }

    private static readonly Workload Client = Pod("client", "10.0.1.5");

    private static Service Balanced(string name, LoadBalancerMode mode, params LocalityScope[] preferences) =>
        Service(name, "10.96.0.10") with { LoadBalancer = new LoadBalancer(preferences.ToValueArray(), mode, HealthPolicy.OnlyHealthy) };

    private static MeshStore Vectors(LoadBalancerMode mode)
    {
        Service service = Balanced("echo", mode, NetworkRegionZone) with { Vips = VipIn("", "net", "other", "third", "x") };
        return Store(
            service,
            Endpoint("M", "net", "reg", "zone", "10.0.0.1"), Endpoint("A", "net", "reg", "elsewhere", "10.0.0.2"), Endpoint("N", "net", "", "", "10.0.0.3"),
            Endpoint("O", "other", "reg", "zone", "10.0.0.4"), Endpoint("E", "net", "reg", "zone", ip: null));

        Workload Endpoint(string name, string network, string region, string zone, string? ip) =>
            Pod(name, ip, network: network, services: Of(service)) with { Locality = new Locality(region, zone) };
    }

    private static Workload Source(string network, string region, string zone) =>
        Pod("client", "10.0.1.5", network: network) with { Locality = new Locality(region, zone) };

    /// <summary>All that the picker may choose first, whatever the chances.</summary>
    private static IEnumerable<string> FirstChoices(MeshStore store, Workload source)
    {
        ServiceEndpoints endpoints = store.Current.FindEndpoints(store.Current.Services.Single().Key)!;
        EndpointTable? table = endpoints.Tables.For(endpoints, source, 80, isWaypoint: false);
        return table is null || table.Groups.Length == 0 ? [] : table.Groups[0].Members.Select(static member => member.Workload.Name).Order();
    }

    private static ValueArray<NetworkAddress> VipIn(params string[] networks) =>
        networks.Select(static network => new NetworkAddress(network, IPAddress.Parse("10.96.0.10"))).ToValueArray();

    private static Workload Located(string name, string value, Service? service = null)
    {
        Workload workload = Pod(name, $"10.0.2.{name.Length}", network: value, services: service is null ? [] : [Of(service)]);
        return workload.With(traits => traits with { ClusterId = value }) with { Locality = new Locality(value, value, value), Node = value };
    }

    private static (MeshStore, Workload) Many(int count)
    {
        Service echo = Service("echo", "10.96.0.10");
        return (Store([Client, echo, .. Enumerable.Range(0, count).Select(i => (object)Pod($"e{i}", $"10.1.{i / 250}.{(i % 250) + 1}", services: Of(echo)))]), Client);
    }

    private sealed class Load : ILoadView
    {
        private readonly Dictionary<string, int> _open = [];

        public HashSet<string> Avoided { get; } = [];

        public void Open(Workload workload) => _open[workload.Name] = ConnectionsOf(workload.Name) + 1;

        public int ConnectionsOf(string name) => _open.GetValueOrDefault(name);

        public int Connections(Workload workload) => ConnectionsOf(workload.Name);

        public bool IsAvoided(Workload workload) => Avoided.Contains(workload.Name);
    }
}
