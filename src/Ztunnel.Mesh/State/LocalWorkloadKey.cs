namespace Ztunnel.Mesh.State;

/// <summary>How a pod of this node is recognized among the workloads. The trust domain is not part of it: the workload says which it is.</summary>
public sealed record LocalWorkloadKey(string Name, string Namespace, string ServiceAccount)
{
    /// <summary>Set when the node agent vouches for the pod: what holds for every pod of this node, for as long as this one's record is not there. Null: nothing is assumed, the record has to be waited for.</summary>
    public NodeDefaults? Assumed { get; init; }

    internal static int Hash(string name, string @namespace, string serviceAccount) => HashCode.Combine(name, @namespace, serviceAccount);

    public override string ToString() => $"{ServiceAccount}.{Namespace} ({Name})";
}

/// <summary>What the pods of this node have in common.</summary>
/// <param name="TrustDomain">TRUST_DOMAIN; used while the mesh knows no workload of this node that would tell.</param>
/// <param name="Network">NETWORK.</param>
/// <param name="Node">NODE_NAME.</param>
public sealed record NodeDefaults(string TrustDomain, string Network, string Node);
