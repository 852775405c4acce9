using System.Net;
using Google.Protobuf;
using Ztunnel.Mesh.Model;
using Wire = Ztunnel.Protos.Workloads;

namespace Ztunnel.Istiod.Mesh;

/// <summary>Workloads and services as istiod puts them on the wire (istio-integration 4.4): what has its default there is left out.</summary>
internal static class WorkloadWriter
{
    private const string DefaultTrustDomain = "cluster.local";

    /// <param name="workload">The record.</param>
    /// <param name="memberships">The services it is an endpoint of, with its own ports, sorted: the version of a resource is a hash of its bytes.</param>
    public static Wire.Workload Write(Workload workload, IEnumerable<(NamespacedName Service, PortMap Ports)> memberships)
    {
        Wire.Workload wire = new()
        {
            Uid = workload.Uid,
            Name = workload.Name,
            Namespace = workload.Namespace,
            Network = workload.Network,
            TunnelProtocol = workload.Protocol == TunnelProtocol.Hbone ? Wire.TunnelProtocol.Hbone : Wire.TunnelProtocol.None,
            TrustDomain = workload.TrustDomain == DefaultTrustDomain ? "" : workload.TrustDomain,
            ServiceAccount = workload.ServiceAccount,
            Waypoint = Gateway(workload.Waypoint),
            NetworkGateway = Gateway(workload.NetworkGateway),
            Node = workload.Node,
            CanonicalName = workload.CanonicalName,
            CanonicalRevision = workload.CanonicalRevision,
            WorkloadType = workload.WorkloadType switch
            {
                "cronjob" => Wire.WorkloadType.Cronjob,
                "pod" => Wire.WorkloadType.Pod,
                "job" => Wire.WorkloadType.Job,
                _ => Wire.WorkloadType.Deployment,
            },
            WorkloadName = workload.WorkloadName,
            NativeTunnel = workload.NativeTunnel,
            AuthorizationPolicies = { workload.AuthorizationPolicies },
            Status = workload.Status == HealthStatus.Healthy ? Wire.WorkloadStatus.Healthy : Wire.WorkloadStatus.Unhealthy,
            ClusterId = workload.ClusterId,
            Hostname = workload.Hostname,
            NetworkMode = workload.NetworkMode == NetworkMode.HostNetwork ? Wire.NetworkMode.HostNetwork : Wire.NetworkMode.Standard,
            Capacity = workload.Capacity == 1 ? null : workload.Capacity,
        };
        if (workload.Locality != Locality.None)
            wire.Locality = new Wire.Locality { Region = workload.Locality.Region, Zone = workload.Locality.Zone, Subzone = workload.Locality.Subzone };
        if (workload.ApplicationTunnel is { } tunnel)
        {
            wire.ApplicationTunnel = new Wire.ApplicationTunnel
            {
                Port = tunnel.Port,
                Protocol = tunnel.Protocol == ApplicationProtocol.Proxy ? Wire.ApplicationTunnel.Types.Protocol.Proxy : Wire.ApplicationTunnel.Types.Protocol.None,
            };
        }

        foreach (IPAddress address in workload.Addresses.ToArray()) wire.Addresses.Add(Bytes(address));
        foreach ((NamespacedName service, PortMap ports) in memberships) wire.Services[service.ToString()] = new Wire.PortList { Ports = { Ports(ports) } };
        return wire;
    }

    public static Wire.Service Write(Service service)
    {
        Wire.Service wire = new()
        {
            Name = service.Name,
            Namespace = service.Namespace,
            Hostname = service.Hostname,
            Ports = { Ports(service.Ports) },
            SubjectAltNames = { service.SubjectAltNames },
            Waypoint = Gateway(service.Waypoint),
            IpFamilies = service.IpFamilies switch
            {
                IpFamilies.IPv4 => Wire.IPFamilies.Ipv4Only,
                IpFamilies.IPv6 => Wire.IPFamilies.Ipv6Only,
                IpFamilies.Dual => Wire.IPFamilies.Dual,
                _ => Wire.IPFamilies.Automatic,
            },
            Canonical = service.Canonical,
            Visibility = service.Visibility == ServiceVisibility.Namespace ? Wire.Service.Types.Visibility.Namespace : Wire.Service.Types.Visibility.Public,
        };
        foreach (NetworkAddress vip in service.Vips) wire.Addresses.Add(new Wire.NetworkAddress { Network = vip.Network, Address = Bytes(vip.Address) });
        foreach (NetworkCidr vip in service.CidrVips)
            wire.Addresses.Add(new Wire.NetworkAddress { Network = vip.Network, Address = Bytes(vip.Cidr.Address), Length = (uint)vip.Cidr.PrefixLength });
        foreach (WeightedWaypoint waypoint in service.WeightedWaypoints)
            wire.WeightedWaypoints.Add(new Wire.WeightedWaypoint { Destination = Gateway(waypoint.Destination), Weight = waypoint.Weight });
        if (service.LoadBalancer is { } balancer)
        {
            // Names and order of the values are the same on both sides, which begin at 1 on the wire.
            wire.LoadBalancing = new Wire.LoadBalancing { Mode = (Wire.LoadBalancing.Types.Mode)balancer.Mode, HealthPolicy = (Wire.LoadBalancing.Types.HealthPolicy)balancer.HealthPolicy };
            foreach (LocalityScope scope in balancer.RoutingPreferences) wire.LoadBalancing.RoutingPreference.Add((Wire.LoadBalancing.Types.Scope)((int)scope + 1));
        }

        return wire;
    }

    internal static ByteString Bytes(IPAddress address) => ByteString.CopyFrom(address.GetAddressBytes());

    private static IEnumerable<Wire.Port> Ports(PortMap ports)
    {
        for (int i = 0; i < ports.Count; i++) yield return new Wire.Port { ServicePort = ports[i].ServicePort, TargetPort = ports[i].TargetPort };
    }

    private static Wire.GatewayAddress? Gateway(GatewayAddress? gateway)
    {
        if (gateway is null) return null;
        return gateway.Address is { } address
            ? new Wire.GatewayAddress { Address = new Wire.NetworkAddress { Network = address.Network, Address = Bytes(address.Address) }, HboneMtlsPort = gateway.HboneMtlsPort }
            : new Wire.GatewayAddress { Hostname = new Wire.NamespacedHostname { Namespace = gateway.Hostname!.Namespace, Hostname = gateway.Hostname.Name }, HboneMtlsPort = gateway.HboneMtlsPort };
    }
}
