using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>Rebuilds records so that equal parts are one object: strings, identities, port maps, localities and whole <see cref="WorkloadTraits"/>.</summary>
/// <remarks>Uids, names and addresses are each workload's own and are left alone. Owned by the one writer of a store.</remarks>
internal sealed class MeshInterner
{
    // Small until the mesh is large: each is grown with the number of records (SetScale).
    private const int MinCapacity = 4096;

    private readonly Interner<string> _strings = new(MinCapacity, StringComparer.Ordinal);
    private readonly Interner<SpiffeId> _identities = new(MinCapacity);
    private readonly Interner<NamespacedName> _names = new(MinCapacity);
    private readonly Interner<PortMap> _ports = new(MinCapacity);
    private readonly Interner<Locality> _localities = new(MinCapacity);
    private readonly Interner<GatewayAddress> _gateways = new(MinCapacity);
    private readonly Interner<WorkloadTraits> _traits = new(MinCapacity);

    /// <summary>Generations turn over when they hold as many values as there are records, so that a mesh at rest fits in one.</summary>
    public void SetScale(int records)
    {
        int capacity = Math.Max(MinCapacity, records);
        _strings.Capacity = _identities.Capacity = _names.Capacity = _ports.Capacity = _localities.Capacity = _gateways.Capacity = _traits.Capacity = capacity;
    }

    /// <param name="workload">As received, or interned before (<see cref="MeshStore.Share"/>): then it is the result.</param>
    /// <param name="old">The record it replaces, whose parts are kept where they are equal.</param>
    public Workload Intern(Workload workload, Workload? old)
    {
        string uid = old?.Uid ?? workload.Uid;
        string node = Intern(workload.Node);
        Locality locality = Intern(workload.Locality);
        WorkloadTraits traits = old?.Traits == workload.Traits ? old.Traits : Intern(workload.Traits);
        if (ReferenceEquals(uid, workload.Uid) && ReferenceEquals(node, workload.Node) && ReferenceEquals(locality, workload.Locality) && ReferenceEquals(traits, workload.Traits)) return workload;

        Workload shared = workload with
        {
            Uid = uid,
            Addresses = old?.Addresses == workload.Addresses ? old.Addresses : workload.Addresses,
            Node = node,
            Locality = locality,
            Traits = traits,
        };
        shared.DropNameInUid();
        return shared;
    }

    public Service Intern(Service service)
    {
        NamespacedName key = Intern(service.Key);
        return service with
        {
            Namespace = key.Namespace,
            Hostname = key.Name,
            Key = key,
            Name = Intern(service.Name),
            Ports = _ports.Intern(service.Ports),
            Waypoint = Intern(service.Waypoint),
            Vips = service.Vips.IsEmpty ? default : [.. service.Vips.Select(vip => new NetworkAddress(Intern(vip.Network), vip.Address))],
        };
    }

    private string Intern(string text) => text.Length == 0 ? "" : _strings.Intern(text);

    private NamespacedName Intern(NamespacedName name) =>
        _names.TryGet(name, out NamespacedName? shared) ? shared : _names.Intern(new NamespacedName(Intern(name.Namespace), Intern(name.Name)));

    private GatewayAddress? Intern(GatewayAddress? gateway)
    {
        if (gateway is null) return null;
        if (_gateways.TryGet(gateway, out GatewayAddress? shared)) return shared;
        return _gateways.Intern(gateway with { Hostname = gateway.Hostname is null ? null : Intern(gateway.Hostname) });
    }

    private Locality Intern(Locality locality)
    {
        if (locality == Locality.None) return Locality.None;
        return _localities.TryGet(locality, out Locality? shared)
            ? shared
            : _localities.Intern(new Locality(Intern(locality.Region), Intern(locality.Zone), Intern(locality.Subzone)));
    }

    private SpiffeId Intern(SpiffeId identity) => _identities.TryGet(identity, out SpiffeId? shared)
        ? shared
        : _identities.Intern(new SpiffeId(Intern(identity.TrustDomain), Intern(identity.Namespace), Intern(identity.ServiceAccount)));

    private WorkloadTraits Intern(WorkloadTraits traits)
    {
        if (_traits.TryGet(traits, out WorkloadTraits? shared)) return shared;

        return _traits.Intern(traits with
        {
            Identity = Intern(traits.Identity),
            Network = Intern(traits.Network),
            ClusterId = Intern(traits.ClusterId),
            CanonicalName = Intern(traits.CanonicalName),
            CanonicalRevision = Intern(traits.CanonicalRevision),
            WorkloadType = Intern(traits.WorkloadType),
            WorkloadName = Intern(traits.WorkloadName),
            Hostname = Intern(traits.Hostname),
            Waypoint = Intern(traits.Waypoint),
            NetworkGateway = Intern(traits.NetworkGateway),
            AuthorizationPolicies = [.. traits.AuthorizationPolicies.Select(key => Intern(key))],
            Services = [.. traits.Services.Select(membership => new ServiceMembership(Intern(membership.Service), _ports.Intern(membership.Ports)))],
        });
    }
}
