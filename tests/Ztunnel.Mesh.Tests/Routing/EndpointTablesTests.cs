using System.Net;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Routing;

/// <summary>Which tables exist before a connection asks for them.</summary>
public sealed class EndpointTablesTests
{
    private static readonly Service Large = Service("large", "10.99.0.1", "default", (80, 8080));

    [Theory]
    [InlineData(1_000, true, 1)]
    [InlineData(1_000, false, 0)]   // nobody on this node could ask
    [InlineData(10, true, 0)]       // small enough for a loop
    public void Apply_LargeService_HasItsTableBeforeItsFirstConnection(int endpoints, bool withSource, int tables)
    {
        MeshStore store = Loaded(endpoints, withSource);

        Assert.Equal(tables, store.Current.FindEndpoints(Large.Key)!.Tables.Count);
    }

    [Fact]
    public void Route_ToALargeService_UsesThePreparedTable()
    {
        MeshStore store = Loaded(1_000, withSource: true);
        Workload source = store.Current.LocalWorkloads.Single();

        Route route = OutboundRouter.Route(
            store.Current, new RoutingContext(), source, source.Addresses[0], new OriginalDestination(new IPEndPoint(IPAddress.Parse("10.99.0.1"), 80)), SystemRandom.Instance, NoLoad.Instance);

        Assert.NotEqual(RouteKind.Refuse, route.Kind);
        Assert.Equal(1, store.Current.FindEndpoints(Large.Key)!.Tables.Count);
    }

    private static MeshStore Loaded(int endpoints, bool withSource)
    {
        var update = new MeshUpdate { Services = { Large } };
        for (int i = 0; i < endpoints; i++)
        {
            Workload pod = Pod($"pod-{i}", $"10.1.{i / 250}.{i % 250}");
            update.Workloads.Add((pod with { Node = "elsewhere" }).With(traits => traits with { Services = [new ServiceMembership(Large.Key, Ports((80, 8080)))] }));
        }

        if (withSource) update.Workloads.Add(Pod("source", "10.2.0.1") with { Node = "node-1" });
        var store = new MeshStore("node-1");
        store.Apply(update);
        return store;
    }
}
