using System.Collections.Immutable;
using System.Net;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>The whole mesh at one moment: workloads, services, policies and the ways to find them. Immutable; successive snapshots share what did not change.</summary>
public sealed class MeshSnapshot
{
    public static readonly MeshSnapshot Empty = new();

    /// <summary>Counts the snapshots of a store.</summary>
    public long Generation { get; internal init; }

    public int WorkloadCount => WorkloadsByUid.Count;

    public int ServiceCount => ServicesByHostname.Count;

    public int PolicyCount => Policies.Count;

    /// <summary>Every network that a workload or an address of a service has ever been in, in no order; nearly always one.</summary>
    internal ImmutableArray<string> Networks { get; init; } = [];

    internal HashIndex<Workload> WorkloadsByUid { get; init; } = HashIndex<Workload>.Empty;

    internal HashIndex<Workload> WorkloadsByAddress { get; init; } = HashIndex<Workload>.Empty;

    internal HashIndex<Workload> WorkloadsByHostname { get; init; } = HashIndex<Workload>.Empty;

    internal HashIndex<Workload> Local { get; init; } = HashIndex<Workload>.Empty;

    internal HashIndex<ServiceEndpoints> EndpointsByService { get; init; } = HashIndex<ServiceEndpoints>.Empty;

    internal HashIndex<Service> ServicesByHostname { get; init; } = HashIndex<Service>.Empty;

    internal HashIndex<Service> ServicesByVip { get; init; } = HashIndex<Service>.Empty;

    internal CidrVipIndex ServicesByCidr { get; init; } = CidrVipIndex.Empty;

    /// <summary>Which services state a workload as their endpoint: only with the local file.</summary>
    internal ImmutableDictionary<string, ImmutableHashSet<NamespacedName>> StatedIn { get; init; } = ImmutableDictionary<string, ImmutableHashSet<NamespacedName>>.Empty;

    internal PolicyIndex Policies { get; init; } = PolicyIndex.Empty;

    public Workload? FindWorkloadByUid(string uid)
    {
        foreach (Workload workload in WorkloadsByUid.Find(uid.GetHashCode()))
        {
            if (workload.Uid == uid) return workload;
        }
        return null;
    }

    /// <summary>Several may claim an address: a pod speaking HBONE, then a pod, then what speaks HBONE, then any; among equals the latest.</summary>
    public Workload? FindWorkload(string network, IPAddress ip)
    {
        Workload? best = null;
        foreach (Workload workload in WorkloadsByAddress.Find(AddressHash(network, ip)))
        {
            if (workload.IsAt(network, ip) && (best is null || AddressRank(workload) >= AddressRank(best))) best = workload;
        }
        return best;
    }

    /// <summary>A workload found by its own hostname, latest first.</summary>
    public Workload? FindWorkloadByHostname(NamespacedName hostname)
    {
        Workload? found = null;
        foreach (Workload workload in WorkloadsByHostname.Find(hostname.GetHashCode()))
        {
            if (workload.Hostname == hostname.Name && workload.Namespace == hostname.Namespace) found = workload;
        }
        return found;
    }

    /// <summary>The workload of a pod on this node.</summary>
    public Workload? FindLocalWorkload(LocalWorkloadKey key)
    {
        Workload? found = null;
        foreach (Workload workload in Local.Find(LocalWorkloadKey.Hash(key.Name, key.Namespace, key.ServiceAccount)))
        {
            if (workload.NameSpan.SequenceEqual(key.Name) && workload.Namespace == key.Namespace && workload.ServiceAccount == key.ServiceAccount) found = workload;
        }
        return found;
    }

    /// <summary>Whether nothing in the mesh is outside this network, so that an address means the same to every pod.</summary>
    public bool IsWithin(string network) => Networks.Length == 0 || (Networks.Length == 1 && Networks[0] == network);

    public IEnumerable<Workload> LocalWorkloads => Local.Items;

    /// <summary>The service a client in this namespace means by an address: one that has it as a VIP, else one whose prefix holds it. A null namespace sees everything.</summary>
    public Service? FindService(string network, IPAddress vip, string? clientNamespace)
    {
        Service? best = null;
        foreach (Service service in ServicesByVip.Find(AddressHash(network, vip)))
        {
            if (service.IsVisibleTo(clientNamespace) && HasVip(service, network, vip) && ServiceRanking.IsBetter(service, best, clientNamespace)) best = service;
        }
        return best ?? ServicesByCidr.Find(network, vip, clientNamespace);
    }

    /// <summary>The service a client in this namespace means by a bare hostname. DNS adds a namespace to prefer and leaves out what it cannot answer for.</summary>
    public Service? FindServiceByHostname(string hostname, string? clientNamespace, string? preferredNamespace = null, Func<Service, bool>? include = null)
    {
        Service? best = null;
        foreach (Service service in ServicesByHostname.Find(hostname.GetHashCode()))
        {
            if (service.Hostname == hostname && service.IsVisibleTo(clientNamespace) && (include is null || include(service))
                && ServiceRanking.IsBetter(service, best, clientNamespace, preferredNamespace))
            {
                best = service;
            }
        }
        return best;
    }

    /// <summary>The service DNS answers for under exactly this hostname: one with an address of its own, or a headless one of the cluster. Allocates nothing (data-path 7.4).</summary>
    /// <param name="hostname">Lower case, without the final dot.</param>
    /// <param name="clientNamespace">Of the pod that asks.</param>
    /// <param name="preferredNamespace">Wins when neither the client's namespace nor a canonical service does; null for none.</param>
    /// <param name="clusterSuffix">What hostnames of the cluster's own services end in: <c>.svc.cluster.local</c>.</param>
    public Service? FindServiceForDns(ReadOnlySpan<char> hostname, string clientNamespace, string? preferredNamespace, string clusterSuffix)
    {
        Service? best = null;
        foreach (Service service in ServicesByHostname.Find(string.GetHashCode(hostname)))
        {
            if (hostname.SequenceEqual(service.Hostname) && service.IsVisibleTo(clientNamespace)
                && (!service.Vips.IsEmpty || service.Hostname.EndsWith(clusterSuffix, StringComparison.Ordinal))
                && ServiceRanking.IsBetter(service, best, clientNamespace, preferredNamespace))
            {
                best = service;
            }
        }
        return best;
    }

    public Service? FindService(NamespacedName key) => FindEndpoints(key)?.Service;

    /// <summary>The endpoints of a service; also those of one that is not known yet.</summary>
    public ServiceEndpoints? FindEndpoints(NamespacedName key)
    {
        foreach (ServiceEndpoints endpoints in EndpointsByService.Find(key.GetHashCode()))
        {
            if (endpoints.Key == key) return endpoints;
        }
        return null;
    }

    /// <summary>What an address stands for: a workload if one has it, else a service.</summary>
    public AddressMatch FindAddress(string network, IPAddress ip, string? clientNamespace)
    {
        Workload? workload = FindWorkload(network, ip);
        return new AddressMatch(workload, workload is null ? FindService(network, ip, clientNamespace) : null);
    }

    /// <param name="key"><c>namespace/name</c>.</param>
    public Policy? FindPolicy(string key) => Policies.Find(key);

    public IEnumerable<Workload> Workloads => WorkloadsByUid.Items;

    public IEnumerable<Service> Services => ServicesByHostname.Items;

    public IEnumerable<ServiceEndpoints> StagedServices => EndpointsByService.Items.Where(static endpoints => endpoints.Service is null);

    public IEnumerable<Policy> AllPolicies => Policies.All;

    internal static int AddressHash(string network, IPAddress ip) => HashCode.Combine(network, ip);

    private static int AddressRank(Workload workload) => (workload.IsPod ? 2 : 0) + (workload.Protocol == TunnelProtocol.Hbone ? 1 : 0);

    private static bool HasVip(Service service, string network, IPAddress ip)
    {
        foreach (NetworkAddress vip in service.Vips)
        {
            if (vip.Address.Equals(ip) && vip.Network == network) return true;
        }
        return false;
    }
}

/// <summary>At most one is set.</summary>
public readonly record struct AddressMatch(Workload? Workload, Service? Service);
