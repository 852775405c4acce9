using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Proxy;

/// <summary>A certificate for the local workload, or why there is none.</summary>
internal readonly record struct CertificateResult(WorkloadCertificate? Certificate, ConnectionOutcome Outcome);

/// <summary>
/// The pod a set of listeners belongs to: who it is in the mesh, where its sockets are made, and which certificate it may use: its own and no other (control-path 7.6).
/// </summary>
internal sealed class WorkloadContext(ProxyContext context, LocalWorkloadKey key, SocketFactory sockets)
{
    public LocalWorkloadKey Key { get; } = key;

    /// <summary>Sockets of the pod's namespace, marked so that redirection leaves them alone.</summary>
    public SocketFactory Sockets { get; } = sockets;

    /// <summary>The text of the failure when the control plane does not know the pod (data-path 2.1).</summary>
    public string UnknownText => $"failed to fetch information about local workload: {Key.ServiceAccount}.{Key.Namespace} ({Key.Name})";

    /// <summary>The pod's record in <paramref name="mesh"/>, or null.</summary>
    public Workload? Find(MeshSnapshot mesh) => mesh.FindLocalWorkload(Key);

    /// <summary>The pod's record, waiting a limited time for the control plane to deliver it. Null when it does not.</summary>
    public ValueTask<Workload?> WaitAsync()
    {
        Workload? known = Find(context.Mesh.Current);
        return known is not null ? ValueTask.FromResult<Workload?>(known) : new ValueTask<Workload?>(WaitForUpdateAsync());
    }

    /// <summary>The pod's certificate; asks the authority and waits when there is none yet.</summary>
    public async ValueTask<CertificateResult> GetCertificateAsync()
    {
        return await WaitAsync() is { } workload
            ? await GetCertificateAsync(workload.Identity)
            : new CertificateResult(null, new ConnectionOutcome(EndReason.LocalWorkloadUnknown, $"workload is unknown: {UnknownText}"));
    }

    /// <summary>The certificate of <paramref name="identity"/>, which the pod's record names, or named when the connection was routed.</summary>
    public async ValueTask<CertificateResult> GetCertificateAsync(SpiffeId identity)
    {
        try
        {
            return new CertificateResult(await context.Certificates(identity, CancellationToken.None), default);
        }
        catch (Exception unavailable) // whatever the authority's failure is, it is the connection's outcome and not this code's to judge
        {
            return new CertificateResult(null, new ConnectionOutcome(EndReason.IdentityUnavailable, $"identity error: {unavailable.Message}"));
        }
    }

    private async Task<Workload?> WaitForUpdateAsync()
    {
        Workload? workload = await context.Mesh.WaitForAsync(Find, context.Settings.SetUp.LocalWorkload, context.Time, CancellationToken.None);
        if (workload is null)
            ProxyLog.LocalWorkloadTimedOut(context.StateLog, Key.ServiceAccount, Key.Namespace, Key.Name);
        return workload;
    }
}
