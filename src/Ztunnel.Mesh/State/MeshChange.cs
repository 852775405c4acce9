using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>What differs between a snapshot and the one before it, so that only what is touched is looked at again.</summary>
public sealed class MeshChange
{
    /// <summary>Beyond this many changed workloads the list is dropped and every workload counts as changed: nobody wants to search 100,000 names.</summary>
    public const int MaxListed = 4096;

    internal MeshChange(MeshSnapshot snapshot, int workloads, int services, IReadOnlySet<string>? workloadUids, PolicyChange policies, IReadOnlyList<string> unknownRemovals)
    {
        Snapshot = snapshot;
        WorkloadCount = workloads;
        ServiceCount = services;
        WorkloadUids = workloadUids;
        Policies = policies;
        UnknownRemovals = unknownRemovals;
    }

    /// <summary>The snapshot that has the change.</summary>
    public MeshSnapshot Snapshot { get; }

    /// <summary>How long making the snapshot took, before anybody was told of it.</summary>
    public TimeSpan Duration { get; internal set; }

    public int WorkloadCount { get; }

    /// <summary>Services whose record or endpoints changed.</summary>
    public int ServiceCount { get; }

    /// <summary>Added, changed and removed workloads; null when there are too many to list.</summary>
    public IReadOnlySet<string>? WorkloadUids { get; }

    public PolicyChange Policies { get; }

    /// <summary>Names the update wanted removed that nothing bears, for the log.</summary>
    public IReadOnlyList<string> UnknownRemovals { get; }

    public bool IsEmpty => WorkloadCount == 0 && ServiceCount == 0 && Policies.IsEmpty;

    /// <summary>Whether connections to this workload must be authorized again: one of its policies changed, or the workload itself (its list of policies, its namespace).</summary>
    public bool AffectsAuthorizationOf(Workload workload)
    {
        if (WorkloadCount > 0 && (WorkloadUids is null || WorkloadUids.Contains(workload.Uid))) return true;
        if (Policies.Global || Policies.Namespaces.Contains(workload.Namespace)) return true;
        foreach (string key in workload.AuthorizationPolicies)
        {
            if (Policies.Keys.Contains(key)) return true;
        }
        return false;
    }
}

/// <summary>Which policies changed, by where they apply: before the change or after it.</summary>
public sealed record PolicyChange(bool Global, IReadOnlySet<string> Namespaces, IReadOnlySet<string> Keys)
{
    public static readonly PolicyChange None = new(Global: false, new HashSet<string>(), new HashSet<string>());

    public bool IsEmpty => Keys.Count == 0;
}
