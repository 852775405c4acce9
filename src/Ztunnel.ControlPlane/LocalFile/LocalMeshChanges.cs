using Ztunnel.Mesh.State;

namespace Ztunnel.ControlPlane.LocalFile;

/// <summary>What leads from one content of the file to the next.</summary>
internal static class LocalMeshChanges
{
    public static MeshUpdate Everything(LocalMesh mesh) => new()
    {
        Workloads = [.. mesh.Workloads],
        Services = [.. mesh.Services],
        Policies = [.. mesh.Policies],
    };

    /// <summary>All of the new content (the store passes over what is equal) and the names that only the old one has.</summary>
    public static MeshUpdate Between(LocalMesh before, LocalMesh after)
    {
        MeshUpdate update = Everything(after);
        update.RemovedAddresses.AddRange(before.Workloads.Select(static w => w.Uid).Except(after.Workloads.Select(static w => w.Uid), StringComparer.Ordinal));
        update.RemovedAddresses.AddRange(before.Services.Select(static s => s.Key.ToString()).Except(after.Services.Select(static s => s.Key.ToString()), StringComparer.Ordinal));
        update.RemovedPolicies.AddRange(before.Policies.Select(static p => p.Key).Except(after.Policies.Select(static p => p.Key), StringComparer.Ordinal));
        return update;
    }

    /// <summary>The same content in the store's own instances, so that a large file is not held twice.</summary>
    public static LocalMesh Shared(LocalMesh mesh, MeshSnapshot store) => new(
        [.. mesh.Workloads.Select(workload => Same(workload, store.FindWorkloadByUid(workload.Uid)))],
        [.. mesh.Services.Select(service => Same(service, store.FindService(service.Key)))],
        [.. mesh.Policies.Select(policy => Same(policy, store.FindPolicy(policy.Key)))]);

    // A control plane beside the file may have another resource under that name.
    private static T Same<T>(T ours, T? theirs)
        where T : class => ours.Equals(theirs) ? theirs : ours;
}
