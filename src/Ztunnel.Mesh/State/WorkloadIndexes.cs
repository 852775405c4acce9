using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>The ways to find a workload, while they are being changed. What is added under a key is removed under the same: keys come from the record alone.</summary>
internal sealed class WorkloadIndexes(MeshSnapshot current, string? localNode)
{
    public HashIndex<Workload>.Builder ByUid { get; } = current.WorkloadsByUid.ToBuilder();

    public HashIndex<Workload>.Builder ByAddress { get; } = current.WorkloadsByAddress.ToBuilder();

    public HashIndex<Workload>.Builder ByHostname { get; } = current.WorkloadsByHostname.ToBuilder();

    public HashIndex<Workload>.Builder Local { get; } = current.Local.ToBuilder();

    public Workload? Find(string uid)
    {
        foreach (Workload workload in ByUid.Find(uid.GetHashCode()))
        {
            if (workload.Uid == uid) return workload;
        }
        return null;
    }

    public void Add(Workload workload)
    {
        ByUid.Add(workload.Uid.GetHashCode(), workload);
        foreach (int hash in AddressHashes(workload)) ByAddress.Add(hash, workload);
        if (workload.Hostname.Length > 0) ByHostname.Add(HostnameHash(workload), workload);
        if (IsLocal(workload)) Local.Add(LocalHash(workload), workload);
    }

    /// <summary>A record in the place of another one of the same workload. What it is found by has hardly ever changed: then nothing but its entries does.</summary>
    public void Replace(Workload old, Workload workload)
    {
        if (old.Network != workload.Network || old.Addresses != workload.Addresses || old.IsFoundByAddress != workload.IsFoundByAddress
            || old.Hostname != workload.Hostname || old.Identity != workload.Identity || IsLocal(old) || IsLocal(workload))
        {
            Remove(old);
            Add(workload);
            return;
        }
        ByUid.Replace(workload.Uid.GetHashCode(), old, workload);
        foreach (int hash in AddressHashes(workload)) ByAddress.Renew(hash, old, workload);
        if (workload.Hostname.Length > 0) ByHostname.Renew(HostnameHash(workload), old, workload);
    }

    public void Remove(Workload workload)
    {
        ByUid.Remove(workload.Uid.GetHashCode(), workload);
        foreach (int hash in AddressHashes(workload)) ByAddress.Remove(hash, workload);
        if (workload.Hostname.Length > 0) ByHostname.Remove(HostnameHash(workload), workload);
        if (IsLocal(workload)) Local.Remove(LocalHash(workload), workload);
    }

    private bool IsLocal(Workload workload) => string.IsNullOrEmpty(localNode) || workload.Node == localNode;

    private static int LocalHash(Workload workload) => LocalWorkloadKey.Hash(workload.Name, workload.Namespace, workload.ServiceAccount);

    private static int HostnameHash(Workload workload) => new NamespacedName(workload.Namespace, workload.Hostname).GetHashCode();

    // Once for each distinct address: a record may hold one twice.
    private static IEnumerable<int> AddressHashes(Workload workload) => (workload.IsFoundByAddress ? workload.Addresses.Count : 0) switch
    {
        0 => [],
        1 => [MeshSnapshot.AddressHash(workload.Network, workload.Addresses[0])],
        _ => workload.Addresses.ToArray().Distinct().Select(ip => MeshSnapshot.AddressHash(workload.Network, ip)),
    };
}
