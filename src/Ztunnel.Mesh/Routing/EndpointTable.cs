using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Routing;

/// <summary>What the endpoints of a service are asked for: usability and rank depend on it, and on nothing else of the connection.</summary>
/// <remarks>
/// IsWaypoint is the "Waypoint" mode of control-path 5.6. Port is the service port where endpoints differ in whether they have it, else 0, so that all other ports share
/// a table. The rest is the source's.
/// </remarks>
internal readonly record struct EndpointQuery(bool IsWaypoint, ushort Port, string Network, string Region, string Zone, string Subzone, string Node, string Cluster);

/// <summary>The usable endpoints of a service for one query, closest first. Immutable.</summary>
internal sealed class EndpointTable
{
    private EndpointTable(EndpointQuery query, EndpointGroup[] groups)
    {
        Query = query;
        Groups = groups;
    }

    public EndpointQuery Query { get; }

    public EndpointGroup[] Groups { get; }

    /// <summary>Set by every use, cleared when the service changes: tables nobody used since are not rebuilt. Any loop writes it, and only true.</summary>
    public bool IsUsed { get; set; }

    public static EndpointTable Build(ServiceEndpoints endpoints, EndpointQuery query)
    {
        LoadBalancer? balancer = endpoints.Service!.LoadBalancer;
        bool ranked = balancer?.Mode is LoadBalancerMode.Strict or LoadBalancerMode.Failover;
        var ranks = new SortedDictionary<int, List<EndpointMember>>(Comparer<int>.Create(static (a, b) => b.CompareTo(a)));
        for (int i = 0; i < endpoints.Count; i++)
        {
            EndpointMember member = endpoints[i];
            if (FindObstacle(endpoints, member, query) is not null) continue;

            int rank = ranked ? LocalityRank.Of(member.Workload, query, balancer!) : 0;
            if (rank < 0) continue;
            if (!ranks.TryGetValue(rank, out List<EndpointMember>? members)) ranks.Add(rank, members = []);
            members.Add(member);
        }
        return new EndpointTable(query, [.. ranks.Values.Select(static members => new EndpointGroup(members))]);
    }

    /// <summary>Why an endpoint cannot be used; null when it can.</summary>
    internal static string? FindObstacle(ServiceEndpoints endpoints, in EndpointMember member, in EndpointQuery query)
    {
        Workload workload = member.Workload;
        if (workload.Capacity == 0) return "its capacity is 0";
        if (!endpoints.Includes(member)) return "it is not healthy";

        // Without an address of its own a workload is reached through the gateway of its network.
        bool addressable = workload.Addresses.Count > 0 || workload.Hostname.Length > 0 || (workload.Network != query.Network && workload.NetworkGateway is not null);
        if (!addressable) return "it has neither an address nor a gateway";
        return query.Port == 0 || TargetPort.Find(endpoints.Service!, member, query.Port, query.IsWaypoint) is not null ? null : "it does not serve the port";
    }
}

/// <summary>Endpoints of equal rank.</summary>
internal sealed class EndpointGroup
{
    private readonly WeightedChoice _choice;

    public EndpointGroup(List<EndpointMember> members)
    {
        Members = [.. members];
        _choice = new WeightedChoice(Array.ConvertAll(Members, static member => member.Workload.Capacity));
    }

    public EndpointMember[] Members { get; }

    public int Draw(IRandom random) => _choice.Draw(random);
}
