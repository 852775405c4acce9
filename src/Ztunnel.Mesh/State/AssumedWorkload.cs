using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>
/// A pod that the node agent has named and the control plane has not. The agent's word is enough to know who it is (name, namespace, service account), hence to prove its identity and to speak to others;
/// what only the record tells is asked for where it matters: <see cref="Routing.AssumedSource"/> for calls of the pod; whoever is called needs the record in any case, since it names the policies.
/// </summary>
/// <remarks>Without it a pod that the control plane itself depends on could never reach what would make its record appear.</remarks>
public static class AssumedWorkload
{
    /// <summary>The pod's record; else the pod as assumed; null when nothing may be assumed of it.</summary>
    /// <param name="mesh">What is known.</param>
    /// <param name="key">The pod.</param>
    /// <param name="before">The result of the call before, so that the same is not made again for each connection.</param>
    public static Workload? FindOrAssume(this MeshSnapshot mesh, LocalWorkloadKey key, Workload? before)
    {
        if (mesh.FindLocalWorkload(key) is { } known) return known;
        if (key.Assumed is not { } defaults) return null;

        // One trust domain for all pods of a node: that of its cluster.
        string trustDomain = mesh.LocalWorkloads.FirstOrDefault()?.TrustDomain ?? defaults.TrustDomain;
        return before is { IsAssumed: true } && before.TrustDomain == trustDomain ? before : Create(key, defaults, trustDomain);
    }

    private static Workload Create(LocalWorkloadKey key, NodeDefaults defaults, string trustDomain) => new()
    {
        Uid = "",
        Name = key.Name,
        Node = defaults.Node,
        Traits = new WorkloadTraits
        {
            Identity = new SpiffeId(trustDomain, key.Namespace, key.ServiceAccount),
            Network = defaults.Network,
            Protocol = TunnelProtocol.Hbone,
        },
    };
}
