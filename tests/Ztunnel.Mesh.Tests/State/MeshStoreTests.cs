using System.Net;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.State;

/// <summary>What updates do to the state: control-path 5 and the improvements W-9, W-11, W-26.</summary>
public sealed class MeshStoreTests
{
    private static readonly Service Echo = Service("echo", "10.96.0.10");

    public static TheoryData<string, object[][]> Orders => new()
    {
        { "service last", [[Server(1)], [Server(2)], [Echo]] },
        { "service first", [[Echo], [Server(1)], [Server(2)]] },
        { "service between", [[Server(1)], [Echo], [Server(2)]] },
        { "one push, service last", [[Server(1), Server(2), Echo]] },
        { "one push, service first", [[Echo, Server(1), Server(2)]] },
    };

    [Theory]
    [MemberData(nameof(Orders))]
    public void Apply_EndpointsAndServiceInAnyOrder_GiveTheSameSet(string order, object[][] pushes)
    {
        MeshStore store = Store();
        foreach (object[] push in pushes) store.Apply(Update(push));

        Assert.Equal((order, "server-1,server-2"), (order, Endpoints(store)));
        Assert.Empty(store.Current.StagedServices);
    }

    [Fact]
    public void Apply_EndpointsOfAnUnknownService_AreStaged()
    {
        MeshStore store = Store(Server(1));

        ServiceEndpoints staged = Assert.Single(store.Current.StagedServices);
        Assert.Equal((Echo.Key, 1), (staged.Key, staged.Count));
        Assert.Null(store.Current.FindService(Echo.Key));

        store.Apply(Update("cluster//Pod/default/server-1"));
        Assert.Empty(store.Current.StagedServices);
        Assert.Null(store.Current.FindEndpoints(Echo.Key));
    }

    [Fact]
    public void Apply_WorkloadRemoved_LeavesItsServices()
    {
        MeshStore store = Store(Echo, Server(1), Server(2));

        store.Apply(Update("cluster//Pod/default/server-1"));

        Assert.Equal("server-2", Endpoints(store));
        Assert.Null(store.Current.FindWorkload("", Ip("10.0.2.1")));
    }

    [Fact]
    public void Apply_WorkloadLeavesOneServiceForAnother_MovesItsEndpoint()
    {
        Service other = Service("other", "10.96.0.11");
        MeshStore store = Store(Echo, other, Server(1), Server(2));

        store.Apply(Update(Server(1).With(traits => traits with { Services = [Of(other)] })));

        Assert.Equal("server-2", Endpoints(store));
        Assert.Equal("server-1", Endpoints(store, other));
    }

    [Fact]
    public void Apply_ServiceRemovedAndSentAgain_HasItsEndpointsBack()
    {
        MeshStore store = Store(Echo, Server(1));

        store.Apply(Update("default/echo.default.svc.cluster.local"));
        Assert.Null(store.Current.FindService("", Ip("10.96.0.10"), "default"));
        Assert.Equal(0, store.Current.ServiceCount);

        store.Apply(Update(Echo));
        Assert.Equal("server-1", Endpoints(store));
    }

    [Fact]
    public void Apply_HealthPolicyChanges_FiltersAnew()
    {
        MeshStore store = Store(Echo, Server(1), Server(2) with { Status = HealthStatus.Unhealthy });
        Assert.Equal("server-1", Included(store));

        store.Apply(Update(Echo with { LoadBalancer = new LoadBalancer([], LoadBalancerMode.Standard, HealthPolicy.AllowAll) }));
        Assert.Equal("server-1,server-2", Included(store));

        store.Apply(Update(Echo));
        Assert.Equal("server-1", Included(store));

        store.Apply(Update(Server(1) with { Status = HealthStatus.Unhealthy }, Server(2)));
        Assert.Equal("server-2", Included(store));
        Assert.Equal("server-1,server-2", Endpoints(store));
    }

    [Fact]
    public void Apply_UpdateAndRemovalOfOneWorkload_LeavesNothing()
    {
        MeshStore store = Store(Echo, Server(1));

        store.Apply(Update(Server(1) with { Status = HealthStatus.Unhealthy }, "cluster//Pod/default/server-1", Server(2), "cluster//Pod/default/server-2"));

        Assert.Equal("", Endpoints(store));
        Assert.Equal(0, store.Current.WorkloadCount);
        Assert.Empty(store.Current.LocalWorkloads);
    }

    [Fact]
    public void Apply_SameWorkloadTwice_KeepsTheLast()
    {
        MeshStore store = Store(Echo, Server(1), Server(1) with { Addresses = Ips("10.0.2.99") }, Server(1) with { Addresses = Ips("10.0.2.98") });

        Assert.Equal("server-1", Endpoints(store));
        Assert.Null(store.Current.FindWorkload("", Ip("10.0.2.99")));
        Assert.NotNull(store.Current.FindWorkload("", Ip("10.0.2.98")));
        Assert.Equal(1, store.Current.WorkloadCount);
    }

    [Fact]
    public void Apply_PodAddressReusedInOnePush_BelongsToTheNewPod()
    {
        MeshStore store = Store(Pod("old", "10.0.2.1"));

        store.Apply(Update(Pod("new", "10.0.2.1"), "cluster//Pod/default/old"));

        Assert.Equal("new", store.Current.FindWorkload("", Ip("10.0.2.1"))!.Name);
    }

    [Fact]
    public void Apply_VipMovesToAnotherService_FollowsInEitherOrder()
    {
        Service other = Service("other", "10.96.0.10");
        MeshStore store = Store(Echo);
        store.Apply(Update(other, Echo with { Vips = [] }));
        Assert.Equal("other", FindVip(store, "10.96.0.10"));

        store.Apply(Update(Echo, "default/other.default.svc.cluster.local"));
        Assert.Equal("echo", FindVip(store, "10.96.0.10"));

        store.Apply(Update(Echo with { Vips = [new NetworkAddress("", Ip("10.96.0.11"))] }));
        Assert.Null(FindVip(store, "10.96.0.10"));
        Assert.Equal("echo", FindVip(store, "10.96.0.11"));
    }

    [Fact]
    public void Apply_TwoServicesOfOneNamespaceShareAVip_OneLeavingKeepsTheOther()
    {
        Service other = Service("other", "10.96.0.10");
        MeshStore store = Store(Echo, other);
        Assert.Equal("echo", FindVip(store, "10.96.0.10"));   // the first by name, on every node

        store.Apply(Update("default/echo.default.svc.cluster.local"));

        Assert.Equal("other", FindVip(store, "10.96.0.10"));
    }

    [Theory]
    [InlineData("nothing-of-that-name")]
    [InlineData("default/unknown.default.svc.cluster.local")]
    [InlineData("cluster//Pod/default/unknown")]
    public void Apply_UnknownRemoval_IsReportedAndChangesNothing(string name)
    {
        MeshStore store = Store(Echo, Server(1));
        MeshSnapshot before = store.Current;

        MeshChange change = store.Apply(Update(name));

        Assert.Equal([name], change.UnknownRemovals);
        Assert.Same(before, store.Current);
    }

    [Fact]
    public void Apply_EqualRecords_PublishNothing()
    {
        MeshStore store = Store(Echo, Server(1));
        MeshSnapshot before = store.Current;
        store.Changed += static _ => Assert.Fail("nothing changed");

        MeshChange change = store.Apply(Update(Service("echo", "10.96.0.10"), Server(1)));

        Assert.True(change.IsEmpty);
        Assert.Same(before, store.Current);
    }

    [Fact]
    public void Apply_Change_LeavesEarlierSnapshotsAlone()
    {
        MeshStore store = Store(Echo, Server(1));
        MeshSnapshot before = store.Current;

        store.Apply(Update(Server(2), "cluster//Pod/default/server-1", "default/echo.default.svc.cluster.local"));

        Assert.Equal(["server-1"], before.FindEndpoints(Echo.Key)!.All.Select(static member => member.Workload.Name));
        Assert.NotNull(before.FindWorkload("", Ip("10.0.2.1")));
        Assert.Null(before.FindWorkload("", Ip("10.0.2.2")));
        Assert.Equal(before.Generation + 1, store.Current.Generation);
    }

    [Fact]
    public void Replace_IsADifference()
    {
        MeshStore store = Store(Echo, Server(1), Server(2));
        Workload kept = store.Current.FindWorkload("", Ip("10.0.2.1"))!;
        MeshChange? change = null;
        store.Changed += seen => change = seen;

        store.Replace(Update(Service("new", "10.96.0.12"), Server(1), Server(3)));

        Assert.Same(kept, store.Current.FindWorkload("", Ip("10.0.2.1")));
        Assert.Equal(["cluster//Pod/default/server-2", "cluster//Pod/default/server-3"], change!.WorkloadUids!.Order());
        Assert.Equal(["new"], store.Current.Services.Select(static service => service.Name));
        Assert.Equal(2, Assert.Single(store.Current.StagedServices).Count);
    }

    [Fact]
    public void Apply_StatedEndpoints_FollowTheirWorkloads()
    {
        Service stated = Echo with
        {
            Endpoints = [new Endpoint(Server(9).Uid, Ports((80, 7070)), HealthStatus.Healthy), new Endpoint(Server(1).Uid, Ports((80, 1)), HealthStatus.Healthy)],
        };
        MeshStore store = Store(stated, Server(1));
        Assert.Equal("server-1", Endpoints(store));
        Workload outsider = Server(9).With(static traits => traits with { Services = [] });

        store.Apply(Update(outsider));
        ServiceEndpoints endpoints = store.Current.FindEndpoints(Echo.Key)!;
        Assert.Equal("server-1,server-9", Endpoints(store));
        Assert.Equal("80:7070", endpoints.PortsOf(store.Current.FindWorkloadByUid(outsider.Uid)!)!.ToString());
        Assert.Equal("", endpoints.PortsOf(Server(1))!.ToString());   // the workload's own word counts

        store.Apply(Update(outsider with { Addresses = Ips("10.9.9.9") }));
        Assert.Equal(Ip("10.9.9.9"), store.Current.FindEndpoints(Echo.Key)!.All.Last().Workload.Addresses[0]);

        store.Apply(Update(outsider.Uid));
        Assert.Equal("server-1", Endpoints(store));
    }

    [Fact]
    public void Apply_EqualParts_AreSharedObjects()
    {
        MeshStore store = Store(Fresh(1), Fresh(2));
        Workload one = store.Current.FindWorkload("", Ip("10.0.2.1"))!;
        Workload two = store.Current.FindWorkload("", Ip("10.0.2.2"))!;

        Assert.Same(one.Traits, two.Traits);
        Assert.Same(one.Node, two.Node);
        Assert.Same(one.Locality, two.Locality);

        // Parts that are equal to those of the record before stay the same, too.
        store.Apply(Update(Fresh(1) with { Status = HealthStatus.Unhealthy }));
        Workload again = store.Current.FindWorkload("", Ip("10.0.2.1"))!;
        Assert.Same(one.Uid, again.Uid);
        Assert.Same(one.Traits, again.Traits);

        // Shared before it is applied: the parts are those of the mesh already, and the record is taken as it is.
        Workload known = store.Share(Fresh(1));
        Workload added = store.Share(Fresh(3));
        Assert.Same(one.Uid, known.Uid);
        Assert.All([known, added], workload => Assert.True(ReferenceEquals(one.Traits, workload.Traits) && ReferenceEquals(one.Node, workload.Node) && ReferenceEquals(one.Locality, workload.Locality)));
        store.Apply(Update(known, added));
        Assert.Same(known, store.Current.FindWorkloadByUid(known.Uid));
        Assert.Same(added, store.Current.FindWorkloadByUid(added.Uid));

        static Workload Fresh(int number)
        {
            var membership = new ServiceMembership(new NamespacedName(Copy("default"), "x"), Ports((80, 8080)));
            Workload workload = Pod(Copy($"server-{number}"), $"10.0.2.{number}", account: Copy("account"), services: membership);
            return workload.With(static traits => traits with { WorkloadName = Copy("server") }) with { Node = Copy("node-7"), Locality = new Locality(Copy("eu")) };
        }

        static string Copy(string text) => new(text.AsSpan());
    }

    [Fact]
    public void Changed_ListsWhatChanged()
    {
        MeshStore store = Store(Echo, Server(1));
        MeshChange? change = null;
        store.Changed += seen => change = seen;

        store.Apply(Update(Server(2), Policy("a", PolicyScope.Namespace), Policy("b", PolicyScope.WorkloadSelector)));

        Assert.Same(store.Current, change!.Snapshot);
        Assert.Equal((1, 1), (change.WorkloadCount, change.ServiceCount));
        Assert.Equal(["default/a", "default/b"], change.Policies.Keys.Order());
        Assert.Equal((false, "default"), (change.Policies.Global, Assert.Single(change.Policies.Namespaces)));
    }

    [Fact]
    public void AffectsAuthorizationOf_OnlyWhatIsTouched()
    {
        Workload plain = Pod("plain", "10.0.2.1", "a");
        Workload selecting = Pod("selecting", "10.0.2.2", "b").With(static traits => traits with { AuthorizationPolicies = ["root/strict"] });
        MeshStore store = Store(plain, selecting);
        MeshChange? change = null;
        store.Changed += seen => change = seen;

        Check(Policy("x", PolicyScope.Namespace, "a"), plain: true, selecting: false);
        Check(Policy("strict", PolicyScope.WorkloadSelector, "root"), plain: false, selecting: true);
        Check(Policy("all", PolicyScope.Global, "root"), plain: true, selecting: true);
        Check(Policy("all", PolicyScope.WorkloadSelector, "root"), plain: true, selecting: true);   // it was global until now
        Check(Pod("third", "10.0.2.3", "a"), plain: false, selecting: false);
        Check(plain.With(static traits => traits with { AuthorizationPolicies = ["root/strict"] }), plain: true, selecting: false);
        Check(Echo, plain: false, selecting: false);

        bool Affects(string ip) => change!.AffectsAuthorizationOf(store.Current.FindWorkload("", Ip(ip))!);

        void Check(object record, bool plain, bool selecting)
        {
            store.Apply(Update(record));
            Assert.Equal((plain, selecting), (Affects("10.0.2.1"), Affects("10.0.2.2")));
        }
    }

    [Fact]
    public void Changed_TooManyWorkloads_CountsAsAll()
    {
        MeshStore store = Store();
        MeshChange? change = null;
        store.Changed += seen => change = seen;

        store.Apply(Update([.. Enumerable.Range(0, MeshChange.MaxListed + 1).Select(static i => (object)Pod($"p{i}"))]));

        Assert.Null(change!.WorkloadUids);
        Assert.True(change.AffectsAuthorizationOf(Pod("anyone")));
    }

    [Fact]
    public async Task FirstSync_CompletesWhenMarked()
    {
        MeshStore store = Store();
        Assert.False(store.FirstSync.IsCompleted);

        store.MarkSynced();

        await store.FirstSync.WaitAsync(TimeSpan.FromSeconds(10));
    }

    private static Workload Server(int number) => Pod($"server-{number}", $"10.0.2.{number}", services: Of(Echo));

    private static Policy Policy(string name, PolicyScope scope, string @namespace = "default") =>
        new() { Name = name, Namespace = @namespace, Scope = scope, Action = PolicyAction.Deny };

    private static IPAddress Ip(string text) => IPAddress.Parse(text);

    private static string? FindVip(MeshStore store, string vip) => store.Current.FindService("", Ip(vip), "default")?.Name;

    private static string Endpoints(MeshStore store, Service? service = null) =>
        string.Join(',', (store.Current.FindEndpoints((service ?? Echo).Key)?.All ?? []).Select(static member => member.Workload.Name).Order());

    private static string Included(MeshStore store) => string.Join(',', store.Current.FindEndpoints(Echo.Key)!.Included.Select(static member => member.Workload.Name).Order());
}
