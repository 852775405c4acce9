using System.Net;
using BenchmarkDotNet.Attributes;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;

namespace Ztunnel.Microbenchmarks.Mesh;

/// <summary>Does the cost of routing one connection stay the same when a service has 10,000 endpoints?</summary>
[MemoryDiagnoser]
public class RoutingBenchmarks
{
    private readonly RoutingContext _context = new();
    private readonly OriginalDestination _service = new(new IPEndPoint(BenchMesh.Vip, 80));
    private readonly OriginalDestination _pod = new(new IPEndPoint(BenchMesh.Address(2), 8080));
    private MeshSnapshot _mesh = MeshSnapshot.Empty;
    private Workload _source = null!;

    [Params(10, 1_000, 10_000)]
    public int Endpoints { get; set; }

    [GlobalSetup]
    public void Start()
    {
        var update = new MeshUpdate();
        update.Services.Add(BenchMesh.Service);
        _source = BenchMesh.Pod("client", 1);
        update.Workloads.Add(_source);
        for (int index = 0; index < Endpoints; index++)
        {
            update.Workloads.Add(BenchMesh.Pod($"echo-{index}", index + 2, [new ServiceMembership(BenchMesh.Service.Key, BenchMesh.Service.Ports)]));
        }

        var store = new MeshStore("node-1");
        store.Apply(update);
        _mesh = store.Current;
    }

    [Benchmark]
    public RouteKind ToService() => RouteTo(_service);

    [Benchmark]
    public RouteKind ToPod() => RouteTo(_pod);

    private RouteKind RouteTo(OriginalDestination destination)
    {
        Route route = OutboundRouter.Route(_mesh, _context, _source, _source.Addresses[0], destination, SystemRandom.Instance, NoLoad.Instance);
        return route.Kind == RouteKind.Hbone ? route.Kind : throw new InvalidOperationException($"{route.Kind}: {route.Error}");
    }
}
