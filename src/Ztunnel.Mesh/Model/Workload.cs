using System.Net;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Mesh.Model;

/// <summary>Whether load balancing may choose a workload.</summary>
public enum HealthStatus : byte
{
    Healthy,
    Unhealthy,
}

/// <summary>One instance of an application: a pod, a virtual machine, an external host (control-path 4.2). Its own part; the rest is in its <see cref="Traits"/>.</summary>
/// <remarks>Every node holds every workload of the mesh, so what replicas have in common is one shared object and the rest is small.</remarks>
public sealed record Workload
{
    private const string PodKind = "//Pod/";

    private string? _name = "";   // null: the uid's last part; made when first asked for. Two threads may make it twice, to the same value

    /// <summary>The key, unique in the mesh, such as <c>cluster//Pod/namespace/name</c>. Empty for a workload that is only assumed.</summary>
    public required string Uid { get; init; }

    public string Name { get => _name ??= NameSpan.ToString(); init => _name = value; }

    /// <summary><see cref="Name"/> for whoever looks at many: nothing is made of it.</summary>
    public ReadOnlySpan<char> NameSpan => _name is { } name ? name : Uid.AsSpan(Uid.LastIndexOf('/') + 1);

    public IpAddresses Addresses { get; init; }

    public string Node { get; init; } = "";

    public Locality Locality { get; init; } = Locality.None;

    public HealthStatus Status { get; init; }

    public required WorkloadTraits Traits { get; init; }

    public SpiffeId Identity => Traits.Identity;

    public string TrustDomain => Traits.Identity.TrustDomain;

    public string Namespace => Traits.Identity.Namespace;

    public string ServiceAccount => Traits.Identity.ServiceAccount;

    public string Network => Traits.Network;

    public TunnelProtocol Protocol => Traits.Protocol;

    public NetworkMode NetworkMode => Traits.NetworkMode;

    public GatewayAddress? Waypoint => Traits.Waypoint;

    public GatewayAddress? NetworkGateway => Traits.NetworkGateway;

    public string CanonicalName => Traits.CanonicalName;

    public string CanonicalRevision => Traits.CanonicalRevision;

    public string WorkloadType => Traits.WorkloadType;

    public string WorkloadName => Traits.WorkloadName;

    public string ClusterId => Traits.ClusterId;

    public string Hostname => Traits.Hostname;

    public bool NativeTunnel => Traits.NativeTunnel;

    public ApplicationTunnel? ApplicationTunnel => Traits.ApplicationTunnel;

    public ValueArray<string> AuthorizationPolicies => Traits.AuthorizationPolicies;

    public ValueArray<ServiceMembership> Services => Traits.Services;

    public uint Capacity => Traits.Capacity;

    /// <summary>The control plane has not told of it yet: what is here comes from the node agent and from this node's settings (<see cref="State.AssumedWorkload"/>).</summary>
    public bool IsAssumed => Uid.Length == 0;

    public bool IsPod => Uid.Contains(PodKind, StringComparison.Ordinal);

    /// <summary>Host-network workloads share their node's address, so the address does not name them.</summary>
    internal bool IsFoundByAddress => NetworkMode == NetworkMode.Standard;

    /// <summary>The endpoint's own port map for a service, or null when the workload does not belong to it.</summary>
    public PortMap? PortsFor(NamespacedName service)
    {
        foreach (ServiceMembership membership in Traits.Services)
        {
            if (membership.Service == service) return membership.Ports;
        }
        return null;
    }

    // By hand, since the name is compared without being made.
    public bool Equals(Workload? other) =>
        ReferenceEquals(this, other)
        || (other is not null && Uid == other.Uid && Status == other.Status && Node == other.Node && Addresses == other.Addresses && Locality == other.Locality
            && NameSpan.SequenceEqual(other.NameSpan) && Traits == other.Traits);

    public override int GetHashCode() => Uid.GetHashCode();

    /// <summary>Gives up a name that the uid ends in, as that of every pod does. Before anybody else has the record.</summary>
    internal void DropNameInUid()
    {
        if (_name is { Length: > 0 } name && Uid.Length > name.Length && Uid[^(name.Length + 1)] == '/' && Uid.EndsWith(name, StringComparison.Ordinal) && !name.Contains('/', StringComparison.Ordinal)) _name = null;
    }

    internal bool IsAt(string network, IPAddress address) => Network == network && Addresses.Contains(address);
}
