using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Ztunnel.Protos.Discovery;
using Wire = Ztunnel.Protos.Workloads;

namespace Ztunnel.Microbenchmarks.Scale;

/// <summary>A mesh on the wire, as istiod pushes it: names, labels, versions and localities of realistic length, ten workloads to a service.</summary>
internal static class ScaleMesh
{
    public const int WorkloadsPerService = 10;

    private const string AddressType = "type.googleapis.com/istio.workload.Address";

    /// <summary>Everything, in one response, as bytes.</summary>
    public static byte[] Everything(int workloads)
    {
        // Written in parts, which read as one message: made as a whole it would take more memory than what is measured.
        using var bytes = new MemoryStream(workloads * 360);
        new DeltaDiscoveryResponse { TypeUrl = AddressType, Nonce = "1" }.WriteTo(bytes);
        for (int service = 0; service < workloads / WorkloadsPerService; service++)
            Part(Resource($"ns-{service % 50}/{HostnameOf(service)}", new Wire.Address { Service = Service(service) }, 1)).WriteTo(bytes);
        for (int workload = 0; workload < workloads; workload++)
            Part(Resource(UidOf(workload, workloads), new Wire.Address { Workload = Workload(workload, workloads, Wire.WorkloadStatus.Healthy) }, 1)).WriteTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>A push that changes this many workloads spread over the mesh, other ones each time: they have moved to another node.</summary>
    public static byte[] Changes(int count, int workloads, int push)
    {
        var response = new DeltaDiscoveryResponse { TypeUrl = AddressType, Nonce = "2" };
        for (int i = 0; i < count; i++)
        {
            int number = (int)((((long)i * workloads / count) + push) % workloads);
            Wire.Workload workload = Workload(number, workloads, push % 2 == 0 ? Wire.WorkloadStatus.Unhealthy : Wire.WorkloadStatus.Healthy);
            workload.Node = $"node-{(number + 1 + push) % 1000}";
            response.Resources.Add(Resource(UidOf(number, workloads), new Wire.Address { Workload = workload }, push + 2));
        }

        return response.ToByteArray();
    }

    /// <summary>One service that all of so many workloads belong to.</summary>
    public static byte[] OneService(int workloads)
    {
        var response = new DeltaDiscoveryResponse { TypeUrl = AddressType, Nonce = "1" };
        response.Resources.Add(Resource($"ns-0/{HostnameOf(0)}", new Wire.Address { Service = Service(0) }, 1));
        for (int workload = 0; workload < workloads; workload++)
            response.Resources.Add(Resource(UidOf(workload, workloads), new Wire.Address { Workload = Workload(workload, WorkloadsPerService, Wire.WorkloadStatus.Healthy) }, 1));
        return response.ToByteArray();
    }

    private static DeltaDiscoveryResponse Part(Resource resource) => new() { Resources = { resource } };

    private static Resource Resource(string name, Wire.Address address, int version) =>
        new() { Name = name, Version = HashCode.Combine(name, version).ToString("x16", CultureInfo.InvariantCulture), Resource_ = new Any { TypeUrl = AddressType, Value = address.ToByteString() } };

    private static Wire.Service Service(int number) => new()
    {
        Name = $"svc-{number}",
        Namespace = $"ns-{number % 50}",
        Hostname = HostnameOf(number),
        Addresses = { new Wire.NetworkAddress { Address = Address(172, number) } },
        Ports = { new Wire.Port { ServicePort = 80, TargetPort = 8080 } },
    };

    private static Wire.Workload Workload(int number, int workloads, Wire.WorkloadStatus status)
    {
        int service = number % (workloads / WorkloadsPerService);
        string name = $"svc-{service}";
        string @namespace = $"ns-{service % 50}";
        return new Wire.Workload
        {
            Uid = UidOf(number, workloads),
            Name = PodOf(number, workloads),
            Namespace = @namespace,
            Addresses = { Address(10, number) },
            ServiceAccount = name,
            Node = $"node-{number % 1000}",
            CanonicalName = name,
            CanonicalRevision = "v1",
            WorkloadName = name,
            ClusterId = "Kubernetes",
            TunnelProtocol = Wire.TunnelProtocol.Hbone,
            Locality = new Wire.Locality { Region = $"region-{number % 3}", Zone = $"zone-{number % 9}" },
            Status = status,
            Services = { [$"{@namespace}/{HostnameOf(service)}"] = new Wire.PortList { Ports = { new Wire.Port { ServicePort = 80, TargetPort = 8080 } } } },
        };
    }

    private static string HostnameOf(int service) => $"svc-{service}.ns-{service % 50}.svc.cluster.local";

    private static string PodOf(int workload, int workloads) => $"svc-{workload % (workloads / WorkloadsPerService)}-5d8f7c9b4-{workload:x5}";

    private static string UidOf(int workload, int workloads) => $"Kubernetes//Pod/ns-{workload % (workloads / WorkloadsPerService) % 50}/{PodOf(workload, workloads)}";

    private static ByteString Address(byte first, int number) => ByteString.CopyFrom(first, (byte)(number >> 16), (byte)(number >> 8), (byte)number);
}
