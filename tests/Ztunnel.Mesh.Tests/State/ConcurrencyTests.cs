using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.State;

public sealed class ConcurrencyTests
{
    [Fact]
    public async Task Apply_WhileOthersRoute_TheySeeWholeUpdatesOnly()
    {
        // Each push moves the VIP to the other service and both endpoints with it: seen in part, a route would fail or mix the two.
        Workload client = Pod("client", "10.0.1.5");
        Service[] services = [Service("even", "10.96.0.10"), Service("odd", "10.96.0.10")];
        MeshStore store = Store([client, .. Push(0)]);
        using var done = new CancellationTokenSource();

        Task<int>[] readers = [.. Enumerable.Range(0, 2).Select(seed => Task.Run(() =>
        {
            int routes = 0;
            var random = new Seeded(seed);
            do
            {
                Route route = store.Route(client, "10.96.0.10:80", random);
                Assert.True(route.Kind == RouteKind.Hbone, route.Error);
                Assert.EndsWith(route.Service!.Name == "even" ? ":8080" : ":9090", route.First!.Authority, StringComparison.Ordinal);
                Assert.Single(store.Current.Services);
                routes++;
            }
            while (!done.IsCancellationRequested);
            return routes;
        }))];
        for (int i = 1; i < 2_000; i++) store.Apply(Update(Push(i)));
        done.Cancel();

        Assert.All(await Task.WhenAll(readers).WaitAsync(TimeSpan.FromSeconds(10)), static routes => Assert.True(routes > 0));

        object[] Push(int i)
        {
            Service now = services[i % 2];
            ServiceMembership membership = Of(now, (80, i % 2 == 0 ? (ushort)8080 : (ushort)9090));
            return [now, Pod("a", "10.0.2.1", services: membership), Pod("b", "10.0.2.2", services: membership), services[(i + 1) % 2].Key.ToString()];
        }
    }
}
