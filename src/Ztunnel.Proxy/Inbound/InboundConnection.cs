using System.Net;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;

namespace Ztunnel.Proxy.Inbound;

/// <summary>A connection towards the pod's own application, through a tunnel or in plain text: authorized when it arrives, and again whenever policies or the workload change (data-path 6.3).</summary>
internal abstract class InboundConnection(WorkloadLoop home, IPEndPoint source, IPEndPoint originalDestination) : TrackedConnection(source, originalDestination)
{
    private Workload? _local;

    protected WorkloadLoop Home => home;

    protected sealed override ConnectionTable Table => home.Connections;

    /// <summary>When the connection came.</summary>
    protected long StartMilliseconds { get; } = home.Loop.NowMilliseconds;

    protected bool HasEnded { get; set; }

    /// <summary>What policies judge.</summary>
    protected abstract PolicyConnection PolicyInput { get; }

    public sealed override bool Reauthorize(MeshSnapshot mesh, bool unknownPoliciesCount)
    {
        if (_local is null || HasEnded)
            return false;

        Reauthorization result = InboundAuthorizer.Reauthorize(home, mesh, _local, PolicyInput, unknownPoliciesCount);
        if (result == Reauthorization.Refused)
            Abort(ConnectionOutcome.PolicyChanged);
        return result == Reauthorization.Undecided;
    }

    /// <summary>Decides whether the connection may reach <paramref name="local"/>. The books are open.</summary>
    protected ValueTask<PolicyDecision> AuthorizeAsync(Workload local)
    {
        // Tracked before it is authorized: a policy that changes in between must still find this connection.
        _local = local;
        Track();
        return InboundAuthorizer.AuthorizeAsync(home, local, PolicyInput);
    }
}
