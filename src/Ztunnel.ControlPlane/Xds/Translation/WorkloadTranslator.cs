using System.Net;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Wire = Ztunnel.Protos.Workloads;

namespace Ztunnel.ControlPlane.Xds.Translation;

/// <summary>Turns a workload of the wire into one of the model, with the defaults of control-path 4.2.</summary>
/// <remarks>
/// An enum value this version does not know rejects the workload where it decides how to speak with it. Where it only tunes a choice, the cautious reading is
/// taken instead: a newer control plane must not lose us whole workloads (istio-integration 4.4).
/// </remarks>
internal static class WorkloadTranslator
{
    private const string DefaultTrustDomain = "cluster.local";
    private const string DefaultServiceAccount = "default";
    private const string DefaultCluster = "Kubernetes";

    /// <exception cref="RejectedResourceException">The workload cannot be used.</exception>
    public static Workload Translate(Wire.Workload wire)
    {
        if (wire.Uid.Length == 0) throw new RejectedResourceException("workload without uid");

        return new Workload
        {
            Uid = wire.Uid,
            Name = wire.Name,
            Addresses = Addresses(wire.Addresses),
            Node = wire.Node,
            Locality = wire.Locality is { } locality ? new Locality(locality.Region, locality.Zone, locality.Subzone) : Locality.None,
            Status = wire.Status == Wire.WorkloadStatus.Healthy ? HealthStatus.Healthy : HealthStatus.Unhealthy,
            Traits = new WorkloadTraits
            {
                Identity = new SpiffeId(OrDefault(wire.TrustDomain, DefaultTrustDomain), wire.Namespace, OrDefault(wire.ServiceAccount, DefaultServiceAccount)),
                Network = wire.Network,
                ClusterId = OrDefault(wire.ClusterId, DefaultCluster),
                CanonicalName = wire.CanonicalName,
                CanonicalRevision = wire.CanonicalRevision,
                WorkloadType = WorkloadType(wire.WorkloadType),
                WorkloadName = wire.WorkloadName,
                Hostname = wire.Hostname,
                Protocol = Protocol(wire.TunnelProtocol),
                NetworkMode = NetworkMode(wire.NetworkMode),
                NativeTunnel = wire.NativeTunnel,
                Capacity = wire.Capacity ?? 1,
                Waypoint = Fields.Gateway(wire.Waypoint),
                NetworkGateway = Fields.Gateway(wire.NetworkGateway),
                ApplicationTunnel = Tunnel(wire.ApplicationTunnel),
                AuthorizationPolicies = wire.AuthorizationPolicies.ToValueArray(),
                Services = Services(wire.Services),
            },
        };
    }

    private static string OrDefault(string value, string absent) => value.Length == 0 ? absent : value;

    private static IpAddresses Addresses(RepeatedField<ByteString> addresses)
    {
        if (addresses.Count == 1) return IpAddresses.Create(Fields.Address(addresses[0]));

        IPAddress[] all = new IPAddress[addresses.Count];
        for (int i = 0; i < all.Length; i++) all[i] = Fields.Address(addresses[i]);
        return IpAddresses.Create(all);
    }

    private static TunnelProtocol Protocol(Wire.TunnelProtocol protocol) => protocol switch
    {
        Wire.TunnelProtocol.None => TunnelProtocol.None,
        Wire.TunnelProtocol.Hbone => TunnelProtocol.Hbone,
        _ => throw Fields.UnknownEnum("tunnel protocol", (int)protocol),   // LEGACY_ISTIO_MTLS among them: nobody here speaks it
    };

    private static NetworkMode NetworkMode(Wire.NetworkMode mode) => mode switch
    {
        Wire.NetworkMode.Standard => Mesh.Model.NetworkMode.Standard,
        Wire.NetworkMode.HostNetwork => Mesh.Model.NetworkMode.HostNetwork,
        _ => throw Fields.UnknownEnum("network mode", (int)mode),
    };

    private static string WorkloadType(Wire.WorkloadType type) => type switch
    {
        Wire.WorkloadType.Cronjob => "cronjob",
        Wire.WorkloadType.Pod => "pod",
        Wire.WorkloadType.Job => "job",
        _ => "deployment",
    };

    private static ApplicationTunnel? Tunnel(Wire.ApplicationTunnel? tunnel) => tunnel is null ? null : new ApplicationTunnel(
        tunnel.Protocol switch
        {
            Wire.ApplicationTunnel.Types.Protocol.None => ApplicationProtocol.None,
            Wire.ApplicationTunnel.Types.Protocol.Proxy => ApplicationProtocol.Proxy,
            _ => throw Fields.UnknownEnum("application tunnel protocol", (int)tunnel.Protocol),
        },
        Fields.Port(tunnel.Port));

    private static ValueArray<ServiceMembership> Services(MapField<string, Wire.PortList> services)
    {
        if (services.Count == 0) return [];

        ServiceMembership[] all = new ServiceMembership[services.Count];
        int count = 0;
        foreach ((string key, Wire.PortList ports) in services)
        {
            if (!NamespacedName.TryParse(key, out NamespacedName? service)) throw new RejectedResourceException($"failed to parse namespaced hostname: {key}");
            all[count++] = new ServiceMembership(service, Fields.Ports(ports.Ports));
        }
        // A map has another order each time it is sent: sorted, a workload that is sent again is equal to itself.
        Array.Sort(all, static (a, b) => Compare(a.Service, b.Service));
        return ValueArray.Create<ServiceMembership>(all);
    }

    private static int Compare(NamespacedName a, NamespacedName b) =>
        string.CompareOrdinal(a.Namespace, b.Namespace) is not 0 and var order ? order : string.CompareOrdinal(a.Name, b.Name);
}
