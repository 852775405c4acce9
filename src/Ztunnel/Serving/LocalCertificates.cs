using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Serving;

/// <summary>
/// Has certificates fetched for the identities of this node's workloads before their first connection, and lets them go when no workload has them any more (control-path 7.5).
/// </summary>
public sealed class LocalCertificates(MeshStore mesh, CertificateStore certificates) : IDisposable
{
    private readonly Lock _following = new();
    private HashSet<SpiffeId> _wanted = [];   // under _following: the first look and a change may meet

    public void Start()
    {
        mesh.Changed += OnChanged;
        Follow();
    }

    public void Dispose() => mesh.Changed -= OnChanged;

    private void OnChanged(MeshChange change)
    {
        if (change.WorkloadCount > 0)
            Follow();
    }

    private void Follow()
    {
        lock (_following)
        {
            // Pods outside the mesh are listed, too; nobody will ever see certificates of theirs, and the authority may not sign them.
            HashSet<SpiffeId> wanted =
                [.. mesh.Current.LocalWorkloads.Where(static workload => workload.Protocol == TunnelProtocol.Hbone || workload.NativeTunnel).Select(static workload => workload.Identity)];
            foreach (SpiffeId identity in wanted.Where(identity => !_wanted.Contains(identity)))
                certificates.Prefetch(identity);
            foreach (SpiffeId identity in _wanted.Where(identity => !wanted.Contains(identity)))
                certificates.Forget(identity);
            _wanted = wanted;
        }
    }
}
