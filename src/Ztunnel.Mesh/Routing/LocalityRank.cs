using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Routing;

/// <summary>How close an endpoint is to a source (control-path 5.6): the leading preferences that both agree on.</summary>
internal static class LocalityRank
{
    /// <returns>Higher is closer; -1 for an endpoint that STRICT excludes.</returns>
    public static int Of(Workload endpoint, in EndpointQuery source, LoadBalancer balancer)
    {
        int preferences = balancer.RoutingPreferences.Count;
        int rank = 0;
        int bonus = 0;
        for (int i = 0; i < preferences; i++)
        {
            LocalityScope scope = balancer.RoutingPreferences[i];
            bool matches = Matches(scope, endpoint, source);
            if (i == 0 && scope == LocalityScope.Network)
            {
                // The own network outranks every other, and endpoints of other networks are still compared by what follows.
                if (!matches) continue;
                bonus = preferences - 1;
            }
            if (!matches) break;
            rank++;
        }
        return balancer.Mode == LoadBalancerMode.Strict && rank != preferences ? -1 : rank + bonus;
    }

    private static bool Matches(LocalityScope scope, Workload endpoint, in EndpointQuery source) => scope switch
    {
        LocalityScope.Region => source.Region == endpoint.Locality.Region,
        LocalityScope.Zone => source.Zone == endpoint.Locality.Zone,
        LocalityScope.Subzone => source.Subzone == endpoint.Locality.Subzone,
        LocalityScope.Node => source.Node == endpoint.Node,
        LocalityScope.Cluster => source.Cluster == endpoint.ClusterId,
        LocalityScope.Network => source.Network == endpoint.Network,
        _ => throw new InvalidOperationException($"unknown locality scope {scope}"),
    };
}
