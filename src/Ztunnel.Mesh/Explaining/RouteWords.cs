using System.Globalization;
using System.Net;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Explaining;

/// <summary>How a <see cref="RouteTrace"/> names what routing found.</summary>
internal static class RouteWords
{
    public static string Describe(AddressMatch match) => match switch
    {
        { Workload: { } workload } => Describe(workload),
        { Service: { } service } => $"service {service.Key}",
        _ => "unknown to the mesh, or not visible from the source's namespace",
    };

    public static string Describe(Workload workload) => $"workload {workload.Uid}";

    public static string WhoServes(IPEndPoint address, bool isWaypoint) => isWaypoint ? $"who is the waypoint at {address}" : $"who serves {address}";

    public static string Describe(EndpointTable? table, ServiceEndpoints? endpoints)
    {
        if (table is null) return "none: the service has no such port";
        int usable = table.Groups.Sum(static group => group.Members.Length);
        return usable == 0
            ? string.Create(CultureInfo.InvariantCulture, $"none of {endpoints!.Count} can be used")
            : string.Create(CultureInfo.InvariantCulture, $"{usable} of {endpoints!.Count}, the closest {table.Groups[0].Members.Length} first");
    }
}
