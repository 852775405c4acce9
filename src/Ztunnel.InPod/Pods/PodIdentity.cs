namespace Ztunnel.InPod.Pods;

/// <summary>A pod as its source names it: the uid tells pods apart, the rest says which workload of the mesh it is.</summary>
public sealed record PodIdentity(string Uid, string Name, string Namespace, string ServiceAccount)
{
    /// <summary>As logs name it.</summary>
    public override string ToString() => $"{Namespace}/{Name}";
}
