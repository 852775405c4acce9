using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Explaining;

/// <summary>One endpoint of a service as a source sees it.</summary>
/// <param name="Workload">The endpoint.</param>
/// <param name="Status">Its health, as the control plane tells it.</param>
/// <param name="TargetPort">The port that serves the connection there; null when it has none.</param>
/// <param name="Rank">0 for those that are tried first; null when it is not used at all.</param>
/// <param name="Obstacle">Why it is not used; null when it is.</param>
/// <param name="Connections">Open connections of this node to it.</param>
/// <param name="IsAvoided">It failed a short while ago and is tried last.</param>
public sealed record EndpointExplanation(Workload Workload, HealthStatus Status, ushort? TargetPort, int? Rank, string? Obstacle, int Connections, bool IsAvoided);

/// <summary>Lists the endpoints of a service in the order of load balancing (control-path 5.6).</summary>
internal static class EndpointExplainer
{
    /// <summary>No list for people is longer.</summary>
    public const int MaxEndpoints = 50;

    public static IReadOnlyList<EndpointExplanation> Explain(ServiceEndpoints endpoints, Workload source, int servicePort, bool isWaypoint, ILoadView load)
    {
        Service service = endpoints.Service!;
        EndpointTable? table = endpoints.Tables.For(endpoints, source, servicePort, isWaypoint);
        var listed = new List<EndpointExplanation>();
        for (int rank = 0; rank < (table?.Groups.Length ?? 0); rank++)
        {
            foreach (EndpointMember member in table!.Groups[rank].Members)
            {
                if (listed.Count == MaxEndpoints) return listed;
                listed.Add(Describe(member, rank, obstacle: null));
            }
        }
        var used = listed.Select(static endpoint => endpoint.Workload).ToHashSet(ReferenceEqualityComparer.Instance);
        foreach (EndpointMember member in endpoints.All)
        {
            if (listed.Count == MaxEndpoints) break;
            if (!used.Contains(member.Workload)) listed.Add(Describe(member, rank: null, Obstacle(member)));
        }
        return listed;

        EndpointExplanation Describe(in EndpointMember member, int? rank, string? obstacle) =>
            new(member.Workload, member.Status, TargetPort.Find(service, member, servicePort, isWaypoint), rank, obstacle, load.Connections(member.Workload), load.IsAvoided(member.Workload));

        string Obstacle(in EndpointMember member) =>
            table is null ? $"the service has no port {servicePort}"
            : EndpointTable.FindObstacle(endpoints, member, table.Query) ?? "outside the locality that the service insists on";
    }
}
