using System.Net;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Microbenchmarks.Mesh;

/// <summary>Records of a synthetic mesh.</summary>
internal static class BenchMesh
{
    public static readonly IPAddress Vip = IPAddress.Parse("10.99.0.1");

    public static readonly Service Service = new()
    {
        Name = "echo",
        Namespace = "default",
        Hostname = "echo.default.svc.cluster.local",
        Vips = [new NetworkAddress("", Vip)],
        Ports = PortMap.Create([(80, 8080)]),
    };

    /// <summary>10.x.y.z by number.</summary>
    public static IPAddress Address(int index) => new([10, (byte)(index >> 16), (byte)(index >> 8), (byte)index]);

    public static Workload Pod(string name, int index, params ValueArray<ServiceMembership> services) => new()
    {
        Uid = $"cluster//Pod/default/{name}",
        Name = name,
        Node = $"node-{index % 100}",
        Addresses = IpAddresses.Create(Address(index)),
        Traits = new WorkloadTraits
        {
            Identity = new SpiffeId("cluster.local", "default", "echo"),
            ClusterId = "Kubernetes",
            Protocol = TunnelProtocol.Hbone,
            WorkloadName = "echo",
            WorkloadType = "deployment",
            Services = services,
        },
    };
}
