using System.Collections.Immutable;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>Makes the next snapshot from the current one and an update. Cost is that of the changes and of the services they touch, not of the mesh.</summary>
internal sealed class SnapshotBuilder
{
    private readonly MeshSnapshot _base;
    private readonly MeshInterner _interner;
    private readonly WorkloadIndexes _workloads;
    private readonly ServiceIndexes _services;
    private readonly Dictionary<NamespacedName, EndpointChanges> _endpoints = [];
    private readonly HashSet<string> _changedWorkloads = new(StringComparer.Ordinal);
    private readonly List<string> _unknownRemovals = [];
    private ImmutableArray<string> _networks;

    public SnapshotBuilder(MeshSnapshot current, string? localNode, MeshInterner interner)
    {
        _base = current;
        _interner = interner;
        _workloads = new WorkloadIndexes(current, localNode);
        _services = new ServiceIndexes(current);
        _networks = current.Networks;
    }

    public void Set(Workload workload)
    {
        Workload? old = _workloads.Find(workload.Uid);
        if (workload == old) return;

        workload = _interner.Intern(workload, old);
        if (old is not null)
        {
            _workloads.Replace(old, workload);
            foreach (ServiceMembership membership in old.Services) SetMember(membership.Service, workload.Uid, null);
        }
        else
        {
            _workloads.Add(workload);
        }
        Note(workload.Network);
        foreach (ServiceMembership membership in workload.Services) SetMember(membership.Service, workload.Uid, workload);
        Touched(workload.Uid);
    }

    public void Set(Service service)
    {
        Service? old = _services.Find(service.Key);
        if (service == old) return;

        service = _interner.Intern(service);
        if (old is not null) _services.Remove(old);
        _services.Add(service);
        foreach (NetworkAddress vip in service.Vips) Note(vip.Network);
        EndpointChanges changes = ChangesOf(service.Key);
        changes.ServiceChanged = true;
        changes.Service = service;
    }

    /// <summary>Removes a workload by uid or a service by <c>namespace/hostname</c> (control-path 5.3).</summary>
    public void RemoveAddress(string name)
    {
        if (_workloads.Find(name) is { } workload) Remove(workload);
        else if (NamespacedName.TryParse(name, out NamespacedName? key) && _services.Find(key) is { } service) Remove(service);
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
        PolicyIndex policyIndex = policies.Count == 0 && !removedPolicies.Any()
            ? NoChange(out PolicyChange policyChange)
            : _base.Policies.With(policies, removedPolicies, _unknownRemovals, out policyChange);
        var next = new MeshSnapshot
        {
            Generation = _base.Generation + 1,
            EndpointsByService = BuildEndpoints(),   // before the indexes are built: it looks workloads up in them
            WorkloadsByUid = _workloads.ByUid.Build(),
            WorkloadsByAddress = _workloads.ByAddress.Build(),
            WorkloadsByHostname = _workloads.ByHostname.Build(),
            Local = _workloads.Local.Build(),
            ServicesByHostname = _services.ByHostname.Build(),
            ServicesByVip = _services.ByVip.Build(),
            ServicesByCidr = _services.ByCidr.Build(),
            StatedIn = _services.StatedIn,
            Policies = policyIndex,
            Networks = _networks,
        };
        foreach (NamespacedName key in _endpoints.Keys)
        {
            if (next.FindEndpoints(key) is { } endpoints) endpoints.Tables.PrepareFirstUse(endpoints, next.LocalWorkloads);
        }
        IReadOnlySet<string>? uids = _changedWorkloads.Count > MeshChange.MaxListed ? null : _changedWorkloads;
        return new MeshChange(next, _changedWorkloads.Count, _endpoints.Count, uids, policyChange, _unknownRemovals);
    }

    private void Note(string network)
    {
        if (!_networks.Contains(network)) _networks = _networks.Add(network);
    }

    private PolicyIndex NoChange(out PolicyChange change)
    {
        change = PolicyChange.None;
        return _base.Policies;
    }

    private HashIndex<ServiceEndpoints> BuildEndpoints()
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
            var endpoints = new ServiceEndpoints(service?.Key ?? old?.Key ?? key, service, members, Resolve(service, members));
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

    private EndpointMember[] Resolve(Service? service, Workload[] members)
    {
        if (service is null || service.Endpoints.IsEmpty) return [];
        var own = members.Select(static member => member.Uid).ToHashSet(StringComparer.Ordinal);
        var stated = new List<EndpointMember>();
        foreach (Endpoint endpoint in service.Endpoints)
        {
            // The workload's own word on its ports and health goes before the service's.
            if (!own.Contains(endpoint.WorkloadUid) && _workloads.Find(endpoint.WorkloadUid) is { } workload)
            {
                stated.Add(new EndpointMember(workload, endpoint.Ports, endpoint.Status));
            }
        }
        return [.. stated];
    }

    private void Remove(Workload workload)
    {
        _workloads.Remove(workload);
        foreach (ServiceMembership membership in workload.Services) SetMember(membership.Service, workload.Uid, null);
        Touched(workload.Uid);
    }

    private void Remove(Service service)
    {
        _services.Remove(service);
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
        if (!_services.StatedIn.TryGetValue(uid, out ImmutableHashSet<NamespacedName>? services)) return;
        foreach (NamespacedName service in services) ChangesOf(service);
    }

    private EndpointChanges ChangesOf(NamespacedName service)
    {
        if (!_endpoints.TryGetValue(service, out EndpointChanges? changes)) _endpoints.Add(service, changes = new EndpointChanges());
        return changes;
    }
}
