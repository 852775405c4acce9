using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Routing;

/// <summary>Questions about what a waypoint reference stands for (data-path 2.2 D, 2.4, 3.3).</summary>
internal static class WaypointReference
{
    /// <summary>The waypoint of a service for one connection: one of the weighted ones by chance, else the single one, else none.</summary>
    public static GatewayAddress? Choose(Service service, IRandom random)
    {
        ulong sum = 0;
        foreach (WeightedWaypoint waypoint in service.WeightedWaypoints) sum += waypoint.Weight;
        if (sum is 0 or > uint.MaxValue) return service.Waypoint;   // a sum beyond 32 bits cannot be meant

        ulong drawn = random.Next(sum);
        foreach (WeightedWaypoint waypoint in service.WeightedWaypoints)
        {
            if (drawn < waypoint.Weight) return waypoint.Destination;
            drawn -= waypoint.Weight;
        }
        return service.Waypoint;
    }

    /// <summary>Whether the call comes from a waypoint of the service itself: sent there again it would go round for ever.</summary>
    public static bool IsInstanceOfAny(OutboundRequest request, Service service)
    {
        if (service.Waypoint is { } single && IsInstance(request, single)) return true;
        foreach (WeightedWaypoint waypoint in service.WeightedWaypoints)
        {
            if (IsInstance(request, waypoint.Destination)) return true;
        }
        return false;
    }

    /// <summary>Whether the source is the waypoint: the workload, or an endpoint of the service, with its identity and at the address the call came from.</summary>
    public static bool IsInstance(OutboundRequest request, GatewayAddress waypoint)
    {
        AddressMatch match = Resolve(request.Mesh, waypoint);
        if (match.Workload is { } workload) return IsSource(request, workload);
        if (match.Service is null || request.Mesh.FindEndpoints(match.Service.Key) is not { } endpoints) return false;

        if (IsSource(request, request.Source) && endpoints.IsServedBy(request.Source)) return true;
        foreach (Workload candidate in request.Mesh.WorkloadsByAddress.Find(MeshSnapshot.AddressHash(request.Source.Network, request.SourceAddress)))
        {
            if (IsSource(request, candidate) && endpoints.IsServedBy(candidate)) return true;
        }
        return false;
    }

    public static AddressMatch Resolve(MeshSnapshot mesh, GatewayAddress waypoint)
    {
        if (waypoint.Address is { } address) return mesh.FindAddress(address.Network, address.Address, clientNamespace: null);
        Service? service = mesh.FindService(waypoint.Hostname!);
        return new AddressMatch(service is null ? mesh.FindWorkloadByHostname(waypoint.Hostname!) : null, service);
    }

    public static string Unknown(GatewayAddress waypoint) => $"unknown waypoint: waypoint {waypoint} not found";

    private static bool IsSource(OutboundRequest request, Workload workload) =>
        workload.Identity == request.Source.Identity && workload.Addresses.Contains(request.SourceAddress);
}
