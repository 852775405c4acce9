using Ztunnel.Mesh.Collections;

namespace Ztunnel.Mesh.Model;

/// <summary>What a source and an endpoint may have in common.</summary>
public enum LocalityScope : byte
{
    Region,
    Zone,
    Subzone,
    Node,
    Cluster,
    Network,
}

/// <summary>How locality decides among endpoints.</summary>
public enum LoadBalancerMode : byte
{
    /// <summary>Locality is ignored.</summary>
    Standard,

    /// <summary>Only endpoints that match every preference.</summary>
    Strict,

    /// <summary>The closest endpoints there are.</summary>
    Failover,

    /// <summary>No choice at all: connections go where the client sent them.</summary>
    Passthrough,
}

/// <summary>Which endpoints load balancing may choose.</summary>
public enum HealthPolicy : byte
{
    OnlyHealthy,
    AllowAll,
}

/// <summary>How a service chooses among its endpoints.</summary>
public sealed record LoadBalancer(ValueArray<LocalityScope> RoutingPreferences, LoadBalancerMode Mode, HealthPolicy HealthPolicy);
