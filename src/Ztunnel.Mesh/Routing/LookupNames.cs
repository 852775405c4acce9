using System.Net;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Routing;

/// <summary>
/// What a decision is going to look up and will not find, under the names by which a control plane is asked (control-path 3.8): <c>network/ip</c>, <c>namespace/hostname</c>. Only in on-demand mode anybody asks.
/// Pure: when an answer has come it is called again, since a service leads to its waypoint, and a workload to its gateway.
/// </summary>
public static class LookupNames
{
    /// <summary>For <see cref="OutboundRouter"/>: the destination, then the waypoints and network gateways it leads through.</summary>
    public static IReadOnlyCollection<string> ForOutbound(MeshSnapshot mesh, RoutingContext context, Workload source, IPEndPoint target)
    {
        HashSet<string> missing = new(StringComparer.Ordinal);
        AddAddress(mesh, context.Network, target.Address, missing);
        AddAddress(mesh, source.Network, target.Address, missing);
        AddressMatch match = mesh.FindAddress(source.Network, target.Address, source.Namespace);
        if (match.Service is { } service) AddService(mesh, source, service, missing);
        else if (match.Workload is { } workload) AddWorkload(mesh, source, workload, missing);
        return missing;
    }

    /// <summary>For <see cref="InboundRouter"/>: an address that is not our own may be one we are the waypoint of.</summary>
    public static IReadOnlyCollection<string> ForInbound(MeshSnapshot mesh, RoutingContext context, Workload local, IPAddress localAddress, ConnectAuthority authority)
    {
        HashSet<string> missing = new(StringComparer.Ordinal);
        if (authority.Hostname is { } hostname)
        {
            // A bare name cannot be asked for; those of the workload's own services can.
            foreach (ServiceMembership membership in local.Services)
            {
                if (membership.Service.Name == hostname) AddHostname(mesh, membership.Service, missing);
            }
            return missing;
        }

        IPAddress requested = authority.Address!.Address;
        if (requested.Equals(localAddress) || local.ApplicationTunnel is not null) return missing;

        AddAddress(mesh, context.Network, requested, missing);
        AddressMatch match = mesh.FindAddress(context.Network, requested, clientNamespace: null);
        if (match.Service is { } service) AddWaypoints(mesh, service, missing);
        else if (match.Workload?.Waypoint is { } waypoint) AddGateway(mesh, waypoint, missing);
        return missing;
    }

    /// <summary>The name of an address: an empty network leaves the slash in front.</summary>
    public static string Of(string network, IPAddress address) => $"{network}/{address}";

    private static void AddService(MeshSnapshot mesh, Workload source, Service service, HashSet<string> missing)
    {
        AddWaypoints(mesh, service, missing);
        if (mesh.FindEndpoints(service.Key) is not { } endpoints) return;
        foreach (EndpointMember endpoint in endpoints.Included) AddNetworkGateway(mesh, source, endpoint.Workload, missing);
    }

    private static void AddWorkload(MeshSnapshot mesh, Workload source, Workload workload, HashSet<string> missing)
    {
        if (workload.Waypoint is { } waypoint) AddGateway(mesh, waypoint, missing);
        AddNetworkGateway(mesh, source, workload, missing);
    }

    private static void AddWaypoints(MeshSnapshot mesh, Service service, HashSet<string> missing)
    {
        if (service.Waypoint is { } single) AddGateway(mesh, single, missing);
        foreach (WeightedWaypoint waypoint in service.WeightedWaypoints) AddGateway(mesh, waypoint.Destination, missing);
    }

    private static void AddNetworkGateway(MeshSnapshot mesh, Workload source, Workload workload, HashSet<string> missing)
    {
        if (workload.Network != source.Network && workload.NetworkGateway is { } gateway) AddGateway(mesh, gateway, missing);
    }

    private static void AddGateway(MeshSnapshot mesh, GatewayAddress gateway, HashSet<string> missing)
    {
        if (gateway.Address is { } address) AddAddress(mesh, address.Network, address.Address, missing);
        else AddHostname(mesh, gateway.Hostname!, missing);
    }

    // Without a namespace: a service that this client may not see is known all the same, and asking again would tell nothing.
    private static void AddAddress(MeshSnapshot mesh, string network, IPAddress address, HashSet<string> missing)
    {
        if (mesh.FindAddress(network, address, clientNamespace: null) is { Workload: null, Service: null }) missing.Add(Of(network, address));
    }

    private static void AddHostname(MeshSnapshot mesh, NamespacedName name, HashSet<string> missing)
    {
        if (mesh.FindService(name) is null && mesh.FindWorkloadByHostname(name) is null) missing.Add(name.ToString());
    }
}
