using System.Collections.Immutable;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>Makes the next snapshot from the current one and an update. Cost is that of the changes and of the services they touch, not of the mesh.</summary>
internal sealed class SnapshotBuilder
{
    private readonly MeshSnapshot _base;
    private readonly string? _localNode;
    private readonly MeshInterner _interner;

    private readonly HashIndex<Workload>.Builder _workloads;
    private readonly HashIndex<Workload>.Builder _byAddress;
    private readonly HashIndex<Workload>.Builder _byWorkloadHostname;
    private readonly HashIndex<Workload>.Builder _local;
    private readonly HashIndex<Service>.Builder _byHostname;
    private readonly HashIndex<Service>.Builder _byVip;
    private readonly CidrVipIndex.Builder _byCidr;
    private ImmutableDictionary<string, ImmutableHashSet<NamespacedName>> _statedIn;

    private readonly Dictionary<NamespacedName, EndpointChanges> _endpoints = [];
    private readonly HashSet<string> _changedWorkloads = new(StringComparer.Ordinal);
    private readonly List<string> _unknownRemovals = [];

    public SnapshotBuilder(MeshSnapshot current, string? localNode, MeshInterner interner)
    {
        _base = current;
        _localNode = localNode;
        _interner = interner;
        _workloads = current.WorkloadsByUid.ToBuilder();
        _byAddress = current.WorkloadsByAddress.ToBuilder();
        _byWorkloadHostname = current.WorkloadsByHostname.ToBuilder();
        _local = current.Local.ToBuilder();
        _byHostname = current.ServicesByHostname.ToBuilder();
        _byVip = current.ServicesByVip.ToBuilder();
        _byCidr = current.ServicesByCidr.ToBuilder();
        _statedIn = current.StatedIn;
    }

    public void Set(Workload workload)
    {
        Workload? old = FindWorkload(workload.Uid);
        if (workload == old) return;

        workload = _interner.Intern(workload, old);
        if (old is not null)
        {
            RemoveFromIndexes(old);
            foreach (ServiceMembership membership in old.Services) SetMember(membership.Service, workload.Uid, null);
        }
        AddToIndexes(workload);
        foreach (ServiceMembership membership in workload.Services) SetMember(membership.Service, workload.Uid, workload);
        Touched(workload.Uid);
    }

    public void Set(Service service)
    {
        Service? old = FindService(service.Key);
        if (service == old) return;

        service = _interner.Intern(service);
        if (old is not null) RemoveFromIndexes(old);
        AddToIndexes(service);
        EndpointChanges changes = ChangesOf(service.Key);
        changes.ServiceChanged = true;
        changes.Service = service;
    }

    /// <summary>Removes a workload by uid or a service by <c>namespace/hostname</c> (control-path 5.3).</summary>
    public void RemoveAddress(string name)
    {
        if (FindWorkload(name) is { } workload) Remove(workload);
        else if (NamespacedName.TryParse(name, out NamespacedName? key) && FindService(key) is { } service) Remove(service);
        else _unknownRemovals.Add(name);
    }

    /// <summary>Removes whatever the update does not hold.</summary>
    public void KeepOnly(MeshUpdate full)
    {
        var uids = full.Workloads.Select(static workload => workload.Uid).ToHashSet(StringComparer.Ordinal);
        var keys = full.Services.Select(static service => service.Key).ToHashSet();
        foreach (Workload workload in _base.Workloads)
        {
            if (!uids.Contains(workload.Uid)) Remove(workload);
        }
        foreach (Service service in _base.Services)
        {
            if (!keys.Contains(service.Key)) Remove(service);
        }
    }

    public MeshChange Build(IReadOnlyList<Policy> policies, IEnumerable<string> removedPolicies)
    {
        HashIndex<Workload> workloads = _workloads.Build();
        PolicyIndex policyIndex = policies.Count == 0 && !removedPolicies.Any()
            ? NoChange(out PolicyChange policyChange)
            : _base.Policies.With(policies, removedPolicies, _unknownRemovals, out policyChange);
        var next = new MeshSnapshot
        {
            Generation = _base.Generation + 1,
            WorkloadsByUid = workloads,
            WorkloadsByAddress = _byAddress.Build(),
            WorkloadsByHostname = _byWorkloadHostname.Build(),
            Local = _local.Build(),
            EndpointsByService = BuildEndpoints(workloads),
            ServicesByHostname = _byHostname.Build(),
            ServicesByVip = _byVip.Build(),
            ServicesByCidr = _byCidr.Build(),
            StatedIn = _statedIn,
            Policies = policyIndex,
        };
        return new MeshChange(next, _changedWorkloads.Count, _endpoints.Count, _changedWorkloads.Count > MeshChange.MaxListed ? null : _changedWorkloads, policyChange, _unknownRemovals);
    }

    private PolicyIndex NoChange(out PolicyChange change)
    {
        change = PolicyChange.None;
        return _base.Policies;
    }

    private HashIndex<ServiceEndpoints> BuildEndpoints(HashIndex<Workload> workloads)
    {
        HashIndex<ServiceEndpoints>.Builder builder = _base.EndpointsByService.ToBuilder();
        foreach ((NamespacedName key, EndpointChanges changes) in _endpoints)
        {
            ServiceEndpoints? old = _base.FindEndpoints(key);
            Service? service = changes.ServiceChanged ? changes.Service : old?.Service;
            Workload[] members = changes.Apply(old?.Members ?? []);
            if (service is null && members.Length == 0)
            {
                if (old is not null) builder.Remove(key.GetHashCode(), old);
                continue;
            }
            var endpoints = new ServiceEndpoints(service?.Key ?? old?.Key ?? key, service, members, Resolve(service, members, workloads));
            if (old is null)
            {
                builder.Add(key.GetHashCode(), endpoints);
                continue;
            }
            builder.Replace(key.GetHashCode(), old, endpoints);
            // What connections used until now is ready before they meet the new endpoints, so that no loop pays for it.
            endpoints.Tables.Prepare(endpoints, old.Tables);
        }
        return builder.Build();
    }

    private static EndpointMember[] Resolve(Service? service, Workload[] members, HashIndex<Workload> workloads)
    {
        if (service is null || service.Endpoints.IsEmpty) return [];
        var own = members.Select(static member => member.Uid).ToHashSet(StringComparer.Ordinal);
        var stated = new List<EndpointMember>();
        foreach (Endpoint endpoint in service.Endpoints)
        {
            // The workload's own word on its ports and health goes before the service's.
            if (!own.Contains(endpoint.WorkloadUid) && Find(workloads.Find(endpoint.WorkloadUid.GetHashCode()), endpoint.WorkloadUid) is { } workload)
            {
                stated.Add(new EndpointMember(workload, endpoint.Ports, endpoint.Status));
            }
        }
        return [.. stated];
    }

    private void Remove(Workload workload)
    {
        RemoveFromIndexes(workload);
        foreach (ServiceMembership membership in workload.Services) SetMember(membership.Service, workload.Uid, null);
        Touched(workload.Uid);
    }

    private void Remove(Service service)
    {
        RemoveFromIndexes(service);
        EndpointChanges changes = ChangesOf(service.Key);
        changes.ServiceChanged = true;
        changes.Service = null;
    }

    private void SetMember(NamespacedName service, string uid, Workload? now)
    {
        Workload? before = _base.FindWorkloadByUid(uid);
        ChangesOf(service).Set(uid, before?.PortsFor(service) is null ? null : before, now);
    }

    private void Touched(string uid)
    {
        _changedWorkloads.Add(uid);
        if (!_statedIn.TryGetValue(uid, out ImmutableHashSet<NamespacedName>? services)) return;
        foreach (NamespacedName service in services) ChangesOf(service);
    }

    private EndpointChanges ChangesOf(NamespacedName service)
    {
        if (!_endpoints.TryGetValue(service, out EndpointChanges? changes)) _endpoints.Add(service, changes = new EndpointChanges());
        return changes;
    }

    private void AddToIndexes(Workload workload)
    {
        _workloads.Add(workload.Uid.GetHashCode(), workload);
        foreach (int hash in AddressHashes(workload)) _byAddress.Add(hash, workload);
        if (workload.Hostname.Length > 0) _byWorkloadHostname.Add(HostnameHash(workload), workload);
        if (IsLocal(workload)) _local.Add(LocalHash(workload), workload);
    }

    private void RemoveFromIndexes(Workload workload)
    {
        _workloads.Remove(workload.Uid.GetHashCode(), workload);
        foreach (int hash in AddressHashes(workload)) _byAddress.Remove(hash, workload);
        if (workload.Hostname.Length > 0) _byWorkloadHostname.Remove(HostnameHash(workload), workload);
        if (IsLocal(workload)) _local.Remove(LocalHash(workload), workload);
    }

    private void AddToIndexes(Service service)
    {
        _byHostname.Add(service.Hostname.GetHashCode(), service);
        foreach (int hash in VipHashes(service)) _byVip.Add(hash, service);
        _byCidr.Add(service);
        foreach (Endpoint endpoint in service.Endpoints)
        {
            ImmutableHashSet<NamespacedName> services = _statedIn.GetValueOrDefault(endpoint.WorkloadUid, []);
            _statedIn = _statedIn.SetItem(endpoint.WorkloadUid, services.Add(service.Key));
        }
    }

    private void RemoveFromIndexes(Service service)
    {
        _byHostname.Remove(service.Hostname.GetHashCode(), service);
        foreach (int hash in VipHashes(service)) _byVip.Remove(hash, service);
        _byCidr.Remove(service);
        foreach (Endpoint endpoint in service.Endpoints)
        {
            if (!_statedIn.TryGetValue(endpoint.WorkloadUid, out ImmutableHashSet<NamespacedName>? services)) continue;
            services = services.Remove(service.Key);
            _statedIn = services.IsEmpty ? _statedIn.Remove(endpoint.WorkloadUid) : _statedIn.SetItem(endpoint.WorkloadUid, services);
        }
    }

    private bool IsLocal(Workload workload) => string.IsNullOrEmpty(_localNode) || workload.Node == _localNode;

    private static int LocalHash(Workload workload) => LocalWorkloadKey.Hash(workload.Name, workload.Namespace, workload.ServiceAccount);

    private static int HostnameHash(Workload workload) => new NamespacedName(workload.Namespace, workload.Hostname).GetHashCode();

    // Once for each distinct address, so that what is added and what is removed agree.
    private static IEnumerable<int> AddressHashes(Workload workload) => (workload.IsFoundByAddress ? workload.Addresses.Count : 0) switch
    {
        0 => [],
        1 => [MeshSnapshot.AddressHash(workload.Network, workload.Addresses[0])],
        _ => workload.Addresses.ToArray().Distinct().Select(ip => MeshSnapshot.AddressHash(workload.Network, ip)),
    };

    private static IEnumerable<int> VipHashes(Service service) =>
        ((IEnumerable<NetworkAddress>)service.Vips).Distinct().Select(static vip => MeshSnapshot.AddressHash(vip.Network, vip.Address));

    private Workload? FindWorkload(string uid) => Find(_workloads.Find(uid.GetHashCode()), uid);

    private static Workload? Find(HashIndex<Workload>.Matches matches, string uid)
    {
        foreach (Workload workload in matches)
        {
            if (workload.Uid == uid) return workload;
        }
        return null;
    }

    private Service? FindService(NamespacedName key)
    {
        foreach (Service service in _byHostname.Find(key.Name.GetHashCode()))
        {
            if (service.Key == key) return service;
        }
        return null;
    }
}
