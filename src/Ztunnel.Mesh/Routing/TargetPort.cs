using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Routing;

/// <summary>Which port of an endpoint serves a port of the service (control-path 5.6).</summary>
internal static class TargetPort
{
    /// <returns>Null when the endpoint cannot serve the port.</returns>
    public static ushort? Find(Service service, EndpointMember endpoint, int servicePort, bool isWaypoint)
    {
        bool declared = service.Ports.TryGetTarget(servicePort, out ushort servicesTarget);
        // A waypoint behind an application tunnel serves any port; other endpoints only those the service has.
        if (!declared && (!isWaypoint || endpoint.Workload.ApplicationTunnel is null)) return null;

        if (endpoint.Ports.TryGetTarget(servicePort, out ushort own)) return own;
        if (servicesTarget > 0) return servicesTarget;
        if (!isWaypoint && declared) return null;   // a named port that this endpoint does not have
        return endpoint.Workload.ApplicationTunnel is { Port: > 0 } ? (ushort)servicePort : null;
    }
}
