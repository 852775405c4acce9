using System.Net;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.State;

/// <summary>Every node holds every workload, so one must stay small. Alone in its collection: it counts the bytes of the whole process.</summary>
[Collection(nameof(MeshFootprintTests))]
[CollectionDefinition(nameof(MeshFootprintTests), DisableParallelization = true)]
public sealed class MeshFootprintTests
{
    private const int Workloads = 20_000;
    private const int Services = Workloads / 10;

    [Fact]
    public void Apply_ManyWorkloads_TakesLittleMemoryForEach()
    {
        long before = GC.GetTotalMemory(forceFullCollection: true);

        MeshStore store = Loaded();
        long bytes = (GC.GetTotalMemory(forceFullCollection: true) - before) / Workloads;

        // About 450, of which the uid and the name take 180; the budget for everything a node keeps of a remote workload is 800.
        Assert.InRange(bytes, 100, 600);
        Assert.Equal((Workloads, Services), (store.Current.WorkloadCount, store.Current.ServiceCount));
    }

    [Fact]
    public void Apply_FewChangesInALargeMesh_AllocatesForThemOnly()
    {
        MeshStore store = Loaded();
        store.Apply(Update(Workload(1) with { Status = HealthStatus.Unhealthy }));
        MeshUpdate one = Update(Workload(7) with { Status = HealthStatus.Unhealthy });

        long before = GC.GetAllocatedBytesForCurrentThread();
        store.Apply(one);

        // The chunks and buckets it is found by, its service's members, and the roots: not the mesh (9 MB).
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, 32 * 1024);
    }

    // Apart, so that nothing but the store outlives the call.
    private static MeshStore Loaded()
    {
        var update = new MeshUpdate();
        for (int i = 0; i < Services; i++) update.Services.Add(Service($"svc-{i}", $"172.16.{i / 250}.{i % 250}", $"ns-{i % 50}"));
        for (int i = 0; i < Workloads; i++) update.Workloads.Add(Workload(i));
        var store = new MeshStore("node-1");
        store.Apply(update);
        return store;
    }

    // Every string is an object of its own, as a parser makes them.
    private static Workload Workload(int i)
    {
        int service = i % Services;
        string @namespace = $"ns-{service % 50}";
        return new Workload
        {
            Uid = $"Kubernetes//Pod/ns-{service % 50}/svc-{service}-5d8f7c9b4-{i:x5}",
            Name = $"svc-{service}-5d8f7c9b4-{i:x5}",
            Addresses = IpAddresses.Create(new IPAddress([10, (byte)(i >> 16), (byte)(i >> 8), (byte)i])),
            Node = $"node-{i % 1000}",
            Locality = new Locality($"region-{i % 3}", $"zone-{i % 9}"),
            Traits = new WorkloadTraits
            {
                Identity = new SpiffeId($"cluster{'.'}local", @namespace, $"svc-{service}"),
                CanonicalName = $"svc-{service}",
                WorkloadName = $"svc-{service}",
                Protocol = TunnelProtocol.Hbone,
                Services = [new ServiceMembership(new NamespacedName(@namespace, $"svc-{service}.{@namespace}.svc.cluster.local"), Ports((80, 8080)))],
            },
        };
    }
}
