using System.Net;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Tests;

/// <summary>Short ways to write records, stores and routes in tests.</summary>
internal static class Meshes
{
    public static Workload Pod(
        string name,
        string? ip = null,
        string @namespace = "default",
        string network = "",
        string? account = null,
        TunnelProtocol protocol = TunnelProtocol.Hbone,
        params ServiceMembership[] services) => new()
        {
            Uid = $"cluster//Pod/{@namespace}/{name}",
            Name = name,
            Node = "node-1",
            Addresses = ip is null ? default : Ips(ip),
            Traits = new WorkloadTraits
            {
                Identity = new SpiffeId("cluster.local", @namespace, account ?? name),
                Network = network,
                ClusterId = "Kubernetes",
                Protocol = protocol,
                WorkloadName = name,
                WorkloadType = "deployment",
                Services = services.ToValueArray(),
            },
        };

    /// <summary>Changes what replicas have in common.</summary>
    public static Workload With(this Workload workload, Func<WorkloadTraits, WorkloadTraits> change) => workload with { Traits = change(workload.Traits) };

    public static Service Service(string name, string? vip = null, string @namespace = "default", params (ushort, ushort)[] ports) => new()
    {
        Name = name,
        Namespace = @namespace,
        Hostname = $"{name}.{@namespace}.svc.cluster.local",
        Vips = vip is null ? default : [new NetworkAddress("", IPAddress.Parse(vip))],
        Ports = PortMap.Create(ports.Length == 0 ? [(80, 8080)] : ports),
    };

    public static ServiceMembership Of(Service service, params (ushort, ushort)[] ports) => new(service.Key, PortMap.Create(ports));

    public static PortMap Ports(params (ushort, ushort)[] ports) => PortMap.Create(ports);

    public static IpAddresses Ips(params string[] ips) => IpAddresses.Create([.. ips.Select(IPAddress.Parse)]);

    public static IPEndPoint At(string endPoint) => IPEndPoint.Parse(endPoint);

    public static GatewayAddress Gateway(string ip, ushort port = 15008, string network = "") => new(new NetworkAddress(network, IPAddress.Parse(ip)), port);

    public static GatewayAddress Gateway(Service service, ushort port = 15008) => new(service.Key, port);

    public static MeshStore Store(params object[] records)
    {
        var store = new MeshStore("node-1");
        store.Apply(Update(records));
        return store;
    }

    public static MeshUpdate Update(params object[] records)
    {
        var update = new MeshUpdate();
        foreach (object record in records)
        {
            switch (record)
            {
                case Workload workload: update.Workloads.Add(workload); break;
                case Service service: update.Services.Add(service); break;
                case Policy policy: update.Policies.Add(policy); break;
                case string removed: update.RemovedAddresses.Add(removed); break;
                default: throw new ArgumentException($"not a record: {record}");
            }
        }
        return update;
    }

    public static Route Route(this MeshStore store, Workload source, string destination, IRandom? random = null, ILoadView? load = null, RoutingContext? context = null)
    {
        IPAddress from = source.Addresses.Count > 0 ? source.Addresses[0] : IPAddress.Parse("192.0.2.1");
        return OutboundRouter.Route(
            store.Current, context ?? new RoutingContext(), source, from, new OriginalDestination(At(destination)), random ?? new Sequence(), load ?? NoLoad.Instance);
    }

    /// <summary>The workloads of every candidate, in order.</summary>
    public static List<string?> Candidates(this Route route)
    {
        var names = new List<string?> { route.First?.Workload?.Name };
        while (route.TryNext(out NextHop? next)) names.Add(next.Workload?.Name);
        return names;
    }
}

/// <summary>Gives the numbers it was given, in turn, and then 0.</summary>
internal sealed class Sequence(params ulong[] numbers) : IRandom
{
    private int _next;

    public ulong Next(ulong bound) => _next < numbers.Length ? numbers[_next++] % bound : 0;
}

/// <summary>A repeatable generator.</summary>
internal sealed class Seeded(int seed) : IRandom
{
    private readonly Random _random = new(seed);

    public ulong Next(ulong bound) => (ulong)_random.NextInt64((long)Math.Min(bound, long.MaxValue));
}
