using System.Collections.Immutable;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>The ways to find a service record, while they are being changed. They hold records without endpoints, so endpoint changes leave them alone.</summary>
internal sealed class ServiceIndexes(MeshSnapshot current)
{
    public HashIndex<Service>.Builder ByHostname { get; } = current.ServicesByHostname.ToBuilder();

    public HashIndex<Service>.Builder ByVip { get; } = current.ServicesByVip.ToBuilder();

    public CidrVipIndex.Builder ByCidr { get; } = current.ServicesByCidr.ToBuilder();

    /// <summary>Services that state a workload, by its uid, as their endpoint.</summary>
    public ImmutableDictionary<string, ImmutableHashSet<NamespacedName>> StatedIn { get; private set; } = current.StatedIn;

    public Service? Find(NamespacedName key)
    {
        foreach (Service service in ByHostname.Find(key.Name.GetHashCode()))
        {
            if (service.Key == key) return service;
        }
        return null;
    }

    public void Add(Service service)
    {
        ByHostname.Add(service.Hostname.GetHashCode(), service);
        foreach (int hash in VipHashes(service)) ByVip.Add(hash, service);
        ByCidr.Add(service);
        foreach (Endpoint endpoint in service.Endpoints)
        {
            ImmutableHashSet<NamespacedName> services = StatedIn.GetValueOrDefault(endpoint.WorkloadUid, []);
            StatedIn = StatedIn.SetItem(endpoint.WorkloadUid, services.Add(service.Key));
        }
    }

    public void Remove(Service service)
    {
        ByHostname.Remove(service.Hostname.GetHashCode(), service);
        foreach (int hash in VipHashes(service)) ByVip.Remove(hash, service);
        ByCidr.Remove(service);
        foreach (Endpoint endpoint in service.Endpoints)
        {
            if (!StatedIn.TryGetValue(endpoint.WorkloadUid, out ImmutableHashSet<NamespacedName>? services)) continue;
            services = services.Remove(service.Key);
            StatedIn = services.IsEmpty ? StatedIn.Remove(endpoint.WorkloadUid) : StatedIn.SetItem(endpoint.WorkloadUid, services);
        }
    }

    private static IEnumerable<int> VipHashes(Service service) =>
        ((IEnumerable<NetworkAddress>)service.Vips).Distinct().Select(static vip => MeshSnapshot.AddressHash(vip.Network, vip.Address));
}
