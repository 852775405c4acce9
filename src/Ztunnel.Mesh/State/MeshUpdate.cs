using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.State;

/// <summary>What one response of the control plane, or one reading of the local file, changes. Later entries of a key win; a key both set and removed is removed.</summary>
public sealed class MeshUpdate
{
    public List<Workload> Workloads { get; init; } = [];

    public List<Service> Services { get; init; } = [];

    public List<Policy> Policies { get; init; } = [];

    /// <summary>Names of removed addresses as delta xDS sends them: a workload's uid or <c>namespace/hostname</c> of a service (control-path 5.3).</summary>
    public List<string> RemovedAddresses { get; init; } = [];

    /// <summary>Keys <c>namespace/name</c>.</summary>
    public List<string> RemovedPolicies { get; init; } = [];

    public bool IsEmpty => Workloads.Count + Services.Count + Policies.Count + RemovedAddresses.Count + RemovedPolicies.Count == 0;
}
