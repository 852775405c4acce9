using System.Collections.Immutable;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Mesh.Model;

/// <summary>Who may see a service: everyone or its own namespace.</summary>
public enum ServiceVisibility : byte
{
    Public,
    Namespace,
}

/// <summary>The address families a service may be reached by; none stated allows all.</summary>
public enum IpFamilies : byte
{
    Unspecified,
    Dual,
    IPv4,
    IPv6,
}

/// <summary>A name in front of workloads (control-path 4.2). Its endpoints come from the workloads; see <see cref="State.ServiceEndpoints"/>.</summary>
public sealed record Service
{
    // Built when first asked for. A `with` copies them, too, so each says what it was built from.
    private NamespacedName? _key;
    private Accepted? _accepted;

    public required string Namespace { get; init; }

    public required string Hostname { get; init; }

    public string Name { get; init; } = "";

    public ValueArray<NetworkAddress> Vips { get; init; }

    public ValueArray<NetworkCidr> CidrVips { get; init; }

    public PortMap Ports { get; init; } = PortMap.Empty;

    /// <summary>Further identities a server of this service may present, as received; those that are no SPIFFE identity are never accepted.</summary>
    public ValueArray<string> SubjectAltNames { get; init; }

    public GatewayAddress? Waypoint { get; init; }

    public ValueArray<WeightedWaypoint> WeightedWaypoints { get; init; }

    public LoadBalancer? LoadBalancer { get; init; }

    public IpFamilies IpFamilies { get; init; }

    public bool Canonical { get; init; }

    public ServiceVisibility Visibility { get; init; }

    /// <summary>Endpoints stated by the service itself, which only the local file does.</summary>
    public ValueArray<Endpoint> Endpoints { get; init; }

    public NamespacedName Key
    {
        get
        {
            NamespacedName? key = _key;
            if (key is null || !ReferenceEquals(key.Namespace, Namespace) || !ReferenceEquals(key.Name, Hostname)) _key = key = new NamespacedName(Namespace, Hostname);
            return key;
        }
        internal init => _key = value;
    }

    public bool IsPassthrough => LoadBalancer?.Mode == LoadBalancerMode.Passthrough;

    /// <summary>The <see cref="SubjectAltNames"/> that are identities, in order.</summary>
    public ImmutableArray<SpiffeId> AcceptedIdentities
    {
        get
        {
            Accepted? accepted = _accepted;
            if (accepted is null || accepted.From != SubjectAltNames) _accepted = accepted = new Accepted(SubjectAltNames, ParseIdentities());
            return accepted.Identities;
        }
    }

    public bool IsVisibleTo(string? clientNamespace) => Visibility == ServiceVisibility.Public || clientNamespace is null || clientNamespace == Namespace;

    public bool Equals(Service? other) =>
        ReferenceEquals(this, other)
        || (other is not null
            && Namespace == other.Namespace && Hostname == other.Hostname && Name == other.Name
            && Vips == other.Vips && CidrVips == other.CidrVips && Ports.Equals(other.Ports) && SubjectAltNames == other.SubjectAltNames
            && Waypoint == other.Waypoint && WeightedWaypoints == other.WeightedWaypoints && LoadBalancer == other.LoadBalancer
            && IpFamilies == other.IpFamilies && Canonical == other.Canonical && Visibility == other.Visibility && Endpoints == other.Endpoints);

    public override int GetHashCode() => HashCode.Combine(Namespace, Hostname);

    private ImmutableArray<SpiffeId> ParseIdentities()
    {
        ImmutableArray<SpiffeId>.Builder identities = ImmutableArray.CreateBuilder<SpiffeId>(SubjectAltNames.Count);
        foreach (string name in SubjectAltNames)
        {
            if (SpiffeId.TryParse(name, out SpiffeId? identity)) identities.Add(identity);
        }
        return identities.ToImmutable();
    }

    private sealed record Accepted(ValueArray<string> From, ImmutableArray<SpiffeId> Identities);
}

/// <summary>A workload that serves a service, with its own target ports where it names any.</summary>
public sealed record Endpoint(string WorkloadUid, PortMap Ports, HealthStatus Status);
