using Google.Protobuf.Collections;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;
using Wire = Ztunnel.Protos.Workloads;

namespace Ztunnel.ControlPlane.Xds.Translation;

/// <summary>Turns a service of the wire into one of the model (control-path 4.2). Unknown enum values as for workloads.</summary>
internal static class ServiceTranslator
{
    /// <exception cref="RejectedResourceException">The service cannot be used.</exception>
    public static Service Translate(Wire.Service wire)
    {
        if (wire.Hostname.Length == 0) throw new RejectedResourceException("service without hostname");

        List<NetworkAddress> vips = [];
        List<NetworkCidr> cidrVips = [];
        foreach (Wire.NetworkAddress address in wire.Addresses) AddVip(address, vips, cidrVips);
        return new Service
        {
            Name = wire.Name,
            Namespace = wire.Namespace,
            Hostname = wire.Hostname,
            Vips = vips.ToValueArray(),
            CidrVips = cidrVips.ToValueArray(),
            Ports = Fields.Ports(wire.Ports),
            SubjectAltNames = wire.SubjectAltNames.ToValueArray(),
            Waypoint = Fields.Gateway(wire.Waypoint),
            WeightedWaypoints = WeightedWaypoints(wire.WeightedWaypoints),
            LoadBalancer = wire.LoadBalancing is { } loadBalancing ? LoadBalancer(loadBalancing) : null,
            IpFamilies = wire.IpFamilies switch
            {
                Wire.IPFamilies.Ipv4Only => IpFamilies.IPv4,
                Wire.IPFamilies.Ipv6Only => IpFamilies.IPv6,
                Wire.IPFamilies.Dual => IpFamilies.Dual,
                _ => IpFamilies.Unspecified,
            },
            Canonical = wire.Canonical,
            Visibility = wire.Visibility == Wire.Service.Types.Visibility.Namespace ? ServiceVisibility.Namespace : ServiceVisibility.Public,
        };
    }

    private static void AddVip(Wire.NetworkAddress wire, List<NetworkAddress> vips, List<NetworkCidr> cidrVips)
    {
        System.Net.IPAddress address = Fields.Address(wire.Address);
        int fullLength = wire.Address.Length * 8;
        if (!wire.HasLength || wire.Length == fullLength)
        {
            vips.Add(new NetworkAddress(wire.Network, address));
            return;
        }
        Cidr cidr = Cidr.Create(address, wire.Length) ?? throw new RejectedResourceException($"invalid cidr: {address}/{wire.Length}");
        cidrVips.Add(new NetworkCidr(wire.Network, cidr));
    }

    private static ValueArray<WeightedWaypoint> WeightedWaypoints(RepeatedField<Wire.WeightedWaypoint> waypoints) => waypoints
        .Select(static waypoint => new WeightedWaypoint(
            Fields.Gateway(waypoint.Destination) ?? throw new RejectedResourceException("weighted waypoint without destination"), waypoint.Weight))
        .ToValueArray();

    private static LoadBalancer LoadBalancer(Wire.LoadBalancing wire)
    {
        List<LocalityScope> preferences = new(wire.RoutingPreference.Count);
        foreach (Wire.LoadBalancing.Types.Scope scope in wire.RoutingPreference)
        {
            switch (scope)
            {
                case Wire.LoadBalancing.Types.Scope.Region: preferences.Add(LocalityScope.Region); break;
                case Wire.LoadBalancing.Types.Scope.Zone: preferences.Add(LocalityScope.Zone); break;
                case Wire.LoadBalancing.Types.Scope.Subzone: preferences.Add(LocalityScope.Subzone); break;
                case Wire.LoadBalancing.Types.Scope.Node: preferences.Add(LocalityScope.Node); break;
                case Wire.LoadBalancing.Types.Scope.Cluster: preferences.Add(LocalityScope.Cluster); break;
                case Wire.LoadBalancing.Types.Scope.Network: preferences.Add(LocalityScope.Network); break;
                case Wire.LoadBalancing.Types.Scope.UnspecifiedScope: throw Fields.UnknownEnum("routing preference", (int)scope);
                default: break;   // a preference of a later version: the ones we know still hold
            }
        }
        LoadBalancerMode mode = wire.Mode switch
        {
            Wire.LoadBalancing.Types.Mode.Strict => LoadBalancerMode.Strict,
            Wire.LoadBalancing.Types.Mode.Failover => LoadBalancerMode.Failover,
            Wire.LoadBalancing.Types.Mode.Passthrough => LoadBalancerMode.Passthrough,
            _ => LoadBalancerMode.Standard,
        };
        HealthPolicy health = wire.HealthPolicy == Wire.LoadBalancing.Types.HealthPolicy.AllowAll ? HealthPolicy.AllowAll : HealthPolicy.OnlyHealthy;
        return new LoadBalancer(preferences.ToValueArray(), mode, health);
    }
}
