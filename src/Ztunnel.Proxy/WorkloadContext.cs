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
    private Workload? _assumed;   // any loop; two of them may assume the same pod twice

    public LocalWorkloadKey Key { get; } = key;

    /// <summary>Sockets of the pod's namespace, marked so that redirection leaves them alone.</summary>
    public SocketFactory Sockets { get; } = sockets;

    /// <summary>The text of the failure when the control plane does not know the pod (data-path 2.1).</summary>
    public string UnknownText => $"failed to fetch information about local workload: {Key.ServiceAccount}.{Key.Namespace} ({Key.Name})";

    /// <summary>The same for a connection to the pod: nobody may be let in before its policies are known, whoever the pod is.</summary>
    public string UnknownToCallersText => Key.Assumed is null ? UnknownText : NeededText("only the workload's record tells its policies");

    /// <summary>The text of the failure when who the pod is was not enough: what its record would have told.</summary>
    public string NeededText(string what) => $"{UnknownText}: {what}";

    /// <summary>The pod as far as it is known now: its record, or what the node agent has said of it. Null: there is nothing but to wait.</summary>
    public Workload? FindOrAssume()
    {
        Workload? last = _assumed;
        Workload? found = context.Mesh.Current.FindOrAssume(Key, last);
        if (found is { IsAssumed: true } && !ReferenceEquals(found, last))
            _assumed = found;
        return found;
    }

    /// <summary>The pod's record in <paramref name="mesh"/>, or null.</summary>
    public Workload? Find(MeshSnapshot mesh) => mesh.FindLocalWorkload(Key);

    /// <summary>The pod's record, waiting a limited time for the control plane to deliver it. Null when it does not.</summary>
    public ValueTask<Workload?> WaitAsync()
    {
        Workload? known = Find(context.Mesh.Current);
        return known is not null ? ValueTask.FromResult<Workload?>(known) : new ValueTask<Workload?>(WaitForUpdateAsync());
    }

    /// <summary>The pod's certificate; asks the authority and waits when there is none yet. The pod's record is not waited for where the node agent has said who it is.</summary>
    public async ValueTask<CertificateResult> GetCertificateAsync()
    {
        return (FindOrAssume() ?? await WaitAsync()) is { } workload
            ? await GetCertificateAsync(workload.Identity)
            : new CertificateResult(null, new ConnectionOutcome(EndReason.LocalWorkloadUnknown, $"workload is unknown: {UnknownText}"));
    }

    /// <summary>The certificate of <paramref name="identity"/>, which the pod's record names, or named when the connection was routed.</summary>
    public async ValueTask<CertificateResult> GetCertificateAsync(SpiffeId identity)
    {
        try
        {
            ValueTask<WorkloadCertificate> asked = context.Certificates(identity, CancellationToken.None);
            WorkloadCertificate certificate = asked.IsCompleted ? await asked : await asked.AsTask().WaitAsync(context.Settings.SetUp.Total, context.Time);
            return new CertificateResult(certificate, default);
        }
        catch (TimeoutException)
        {
            return new CertificateResult(null, new ConnectionOutcome(EndReason.IdentityUnavailable, "identity error: timed out waiting for a certificate"));
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
