using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.State;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Serving;

/// <summary>
/// Has certificates fetched for the identities of this node's workloads before their first connection, and lets them go when no workload has them any more (control-path 7.5).
/// </summary>
public sealed class LocalCertificates(MeshStore mesh, CertificateStore certificates) : IDisposable
{
    // Touched by the store's writer only, under its lock.
    private HashSet<SpiffeId> _wanted = [];

    public void Start()
    {
        mesh.Changed += OnChanged;
        Follow(mesh.Current);
    }

    public void Dispose() => mesh.Changed -= OnChanged;

    private void OnChanged(MeshChange change)
    {
        if (change.WorkloadCount > 0)
            Follow(change.Snapshot);
    }

    private void Follow(MeshSnapshot snapshot)
    {
        HashSet<SpiffeId> wanted = [.. snapshot.LocalWorkloads.Select(static workload => workload.Identity)];
        foreach (SpiffeId identity in wanted.Where(identity => !_wanted.Contains(identity)))
            certificates.Prefetch(identity);
        foreach (SpiffeId identity in _wanted.Where(identity => !wanted.Contains(identity)))
            certificates.Forget(identity);
        _wanted = wanted;
    }
}
