using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Mesh.Model;

/// <summary>How a workload is reached: in plain TCP or through HBONE.</summary>
public enum TunnelProtocol : byte
{
    None,
    Hbone,
}

/// <summary>Whether a workload has addresses of its own or those of its node.</summary>
public enum NetworkMode : byte
{
    Standard,
    HostNetwork,
}

/// <summary>What the instances of one application have in common. The store keeps one object for all equal ones.</summary>
public sealed record WorkloadTraits
{
    private SpiffeId[]? _expected;   // built when the first route needs it; two threads may build it twice, to the same value

    /// <summary>Trust domain, namespace and service account.</summary>
    public required SpiffeId Identity { get; init; }

    public string Network { get; init; } = "";

    public string ClusterId { get; init; } = "";

    public string CanonicalName { get; init; } = "";

    public string CanonicalRevision { get; init; } = "";

    /// <summary>Lower case: <c>deployment</c>, <c>cronjob</c>, <c>pod</c>, <c>job</c>.</summary>
    public string WorkloadType { get; init; } = "";

    public string WorkloadName { get; init; } = "";

    /// <summary>Set for workloads whose address is found by DNS when they are chosen.</summary>
    public string Hostname { get; init; } = "";

    public TunnelProtocol Protocol { get; init; }

    public NetworkMode NetworkMode { get; init; }

    public bool NativeTunnel { get; init; }

    /// <summary>The weight in load balancing; 0 is never chosen.</summary>
    public uint Capacity { get; init; } = 1;

    public GatewayAddress? Waypoint { get; init; }

    public GatewayAddress? NetworkGateway { get; init; }

    public ApplicationTunnel? ApplicationTunnel { get; init; }

    /// <summary>Keys <c>namespace/name</c> of the policies that select this workload.</summary>
    public ValueArray<string> AuthorizationPolicies { get; init; }

    public ValueArray<ServiceMembership> Services { get; init; }

    /// <summary>What a server of this workload must present when no service adds names. Cached: it is the tunnel pool's key on every connection.</summary>
    public ImmutableArray<SpiffeId> ExpectedIdentity
    {
        get
        {
            SpiffeId[]? expected = _expected;
            if (expected is null || !ReferenceEquals(expected[0], Identity)) _expected = expected = [Identity];   // a `with` copies the field, too
            return ImmutableCollectionsMarshal.AsImmutableArray(expected);
        }
    }

    public bool Equals(WorkloadTraits? other) =>
        ReferenceEquals(this, other)
        || (other is not null
            && Identity == other.Identity && Network == other.Network && ClusterId == other.ClusterId
            && CanonicalName == other.CanonicalName && CanonicalRevision == other.CanonicalRevision
            && WorkloadType == other.WorkloadType && WorkloadName == other.WorkloadName && Hostname == other.Hostname
            && Protocol == other.Protocol && NetworkMode == other.NetworkMode && NativeTunnel == other.NativeTunnel && Capacity == other.Capacity
            && Waypoint == other.Waypoint && NetworkGateway == other.NetworkGateway && ApplicationTunnel == other.ApplicationTunnel
            && AuthorizationPolicies == other.AuthorizationPolicies && Services == other.Services);

    // Enough to tell applications apart; equality looks at the rest.
    public override int GetHashCode() => HashCode.Combine(Identity, Network, WorkloadName, CanonicalRevision, Hostname, Services, AuthorizationPolicies);
}

/// <summary>A workload is an endpoint of this service, with its own target ports where it names any.</summary>
public sealed record ServiceMembership(NamespacedName Service, PortMap Ports);

/// <summary>What the application speaks behind an inbound tunnel.</summary>
public enum ApplicationProtocol : byte
{
    None,
    Proxy,
}

/// <summary>Inbound tunnels of this workload end at another port (0: none named), with a PROXY header in front if it asks for one.</summary>
public sealed record ApplicationTunnel(ApplicationProtocol Protocol, ushort Port);
