using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Routing;

/// <summary>The tables of one service, built when first asked for. Any thread may ask; the array is replaced, never written to.</summary>
/// <remarks>
/// Sources on one node hardly differ in locality, so there are one or two tables for a service; the bound is for nodes that stand for many localities (tests, and
/// NODE_NAME unset). A table lost to the bound, or to two threads building at once, is built again.
/// </remarks>
internal sealed class EndpointTables
{
    private const int MaxTables = 16;

    // Below, a table costs a loop less than a millisecond.
    private const int LargeServiceEndpoints = 1_000;
    // Localities of one node's workloads, as far as balancing looks at them.
    private const int MaxPreparedTables = 2;
    private const int MaxSourcesLookedAt = 64;

    private volatile EndpointTable[] _tables = [];

    internal int Count => _tables.Length;

    /// <summary>The table for this source, or null when the service does not have the port at all.</summary>
    public EndpointTable? For(ServiceEndpoints endpoints, Workload source, int servicePort, bool isWaypoint)
    {
        Service service = endpoints.Service!;
        bool declared = service.Ports.TryGetTarget(servicePort, out ushort target);
        if (!declared && !isWaypoint) return null;

        EndpointQuery query = QueryOf(service, source, target > 0 ? (ushort)0 : (ushort)servicePort, isWaypoint);
        foreach (EndpointTable known in _tables)
        {
            if (known.Query != query) continue;
            if (!known.IsUsed) known.IsUsed = true;
            return known;
        }
        EndpointTable table = EndpointTable.Build(endpoints, query);
        table.IsUsed = true;
        EndpointTable[] tables = _tables;
        _tables = tables.Length < MaxTables ? [.. tables, table] : [.. tables.AsSpan(1), table];
        return table;
    }

    /// <summary>Builds the tables that were in use before the service's endpoints changed. Called by the writer, before the snapshot is published.</summary>
    public void Prepare(ServiceEndpoints endpoints, EndpointTables before)
    {
        if (endpoints.Service is null) return;
        _tables = [.. before._tables.Where(static table => table.IsUsed).Select(table => EndpointTable.Build(endpoints, table.Query))];
    }

    /// <summary>
    /// Builds what the first connections of these sources to a large service will ask for: at 10,000 endpoints a loop would stand still for some milliseconds. Called by the writer, before the
    /// snapshot is published.
    /// </summary>
    public void PrepareFirstUse(ServiceEndpoints endpoints, IEnumerable<Workload> sources)
    {
        if (endpoints.Service is not { } service || endpoints.Count < LargeServiceEndpoints || _tables.Length > 0) return;
        List<EndpointTable> tables = [];
        foreach (Workload source in sources.Take(MaxSourcesLookedAt))
        {
            EndpointQuery query = QueryOf(service, source, port: 0, isWaypoint: false);
            if (tables.Exists(known => known.Query == query)) continue;
            tables.Add(EndpointTable.Build(endpoints, query));
            if (tables.Count == MaxPreparedTables) break;
        }
        _tables = [.. tables];
    }

    // Only what the service's balancing looks at, so that sources which differ in something else share a table.
    private static EndpointQuery QueryOf(Service service, Workload source, ushort port, bool isWaypoint)
    {
        string region = "", zone = "", subzone = "", node = "", cluster = "";
        if (service.LoadBalancer is { Mode: LoadBalancerMode.Strict or LoadBalancerMode.Failover } balancer)
        {
            foreach (LocalityScope scope in balancer.RoutingPreferences)
            {
                switch (scope)
                {
                    case LocalityScope.Region: region = source.Locality.Region; break;
                    case LocalityScope.Zone: zone = source.Locality.Zone; break;
                    case LocalityScope.Subzone: subzone = source.Locality.Subzone; break;
                    case LocalityScope.Node: node = source.Node; break;
                    case LocalityScope.Cluster: cluster = source.ClusterId; break;
                    case LocalityScope.Network: break;   // always part of the query
                }
            }
        }
        return new EndpointQuery(isWaypoint, port, source.Network, region, zone, subzone, node, cluster);
    }
}
