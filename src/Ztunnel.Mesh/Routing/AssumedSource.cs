using System.Net;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Routing;

/// <summary>What a decision needs to know of its source that a node agent does not tell. Where nothing is missing, the decision with the record would be the same.</summary>
internal static class AssumedSource
{
    /// <returns>What only the source's record tells; null when it is not needed for this destination.</returns>
    public static string? FindMissing(OutboundRequest request)
    {
        // An address means something else in another network, and what looks unknown from here may be in the mesh: it must not be passed through.
        if (!request.Mesh.IsWithin(request.Context.Network)) return "its network, one of several";

        IPAddress address = request.Destination.Address;
        Service? service = request.Mesh.FindService(request.Context.Network, address, request.Source.Namespace);
        if (service is not null && (service.Waypoint is not null || !service.WeightedWaypoints.IsEmpty)) return $"whether it is the waypoint of {service.Key} itself";
        if (service?.LoadBalancer is { Mode: LoadBalancerMode.Strict or LoadBalancerMode.Failover }) return $"its locality, which {service.Key} is balanced by";
        Workload? workload = request.Mesh.FindWorkload(request.Context.Network, address);
        return workload?.Waypoint is null ? null : $"whether it is the waypoint of {workload.Uid} itself";
    }
}
