namespace Ztunnel.Mesh.State;

/// <summary>How a pod of this node is recognized among the workloads. The trust domain is not part of it: the workload says which it is.</summary>
public sealed record LocalWorkloadKey(string Name, string Namespace, string ServiceAccount)
{
    internal static int Hash(string name, string @namespace, string serviceAccount) => HashCode.Combine(name, @namespace, serviceAccount);

    public override string ToString() => $"{ServiceAccount}.{Namespace} ({Name})";
}
