using Microsoft.Extensions.Logging;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Telemetry;

namespace Ztunnel.Proxy.Inbound;

/// <summary>
/// Decides whether a connection may reach the local workload: when it arrives, and again whenever policies or the workload change (data-path 3.5, 6.3).
/// </summary>
/// <remarks>
/// A control plane sends a workload with a new policy reference before the policy itself. Until the policy is there nobody can say what it allows: a new connection waits a moment for it,
/// an open one is left alone for a while, and only then does the unknown policy count against them (design section 7).
/// </remarks>
internal static class InboundAuthorizer
{
    private static readonly TimeSpan PolicyArrivalForNewConnections = TimeSpan.FromSeconds(1);

    /// <summary>Decides on a new connection.</summary>
    public static ValueTask<PolicyDecision> AuthorizeAsync(WorkloadLoop home, Workload local, PolicyConnection connection)
    {
        MeshSnapshot mesh = home.Context.Mesh.Current;
        PolicyDecision decision = Evaluate(home, mesh, local, in connection);
        return decision.Outcome != PolicyOutcome.PolicyUnknown
            ? ValueTask.FromResult(Told(home, decision, in connection))
            : new ValueTask<PolicyDecision>(WaitForPoliciesAsync(home, local, connection, decision));
    }

    public static PolicyDecision Evaluate(WorkloadLoop home, MeshSnapshot mesh, Workload local, in PolicyConnection connection) =>
        PolicyEvaluator.Evaluate(mesh, local, in connection, home.Context.Settings.Policies);

    /// <summary>The outcome of a refusal.</summary>
    public static ConnectionOutcome Describe(PolicyDecision decision) =>
        new(EndReason.PolicyDenied, $"connection closed due to policy rejection: {decision.Reason}");

    /// <summary>Decides again on an open connection, with the workload's record of now: its list of policies may be what changed.</summary>
    public static Reauthorization Reauthorize(WorkloadLoop home, MeshSnapshot mesh, Workload local, in PolicyConnection connection, bool unknownPoliciesCount)
    {
        Workload current = home.Workload.Find(mesh) ?? local;
        PolicyDecision decision = Evaluate(home, mesh, current, in connection);
        if (decision.Allowed)
            return Reauthorization.Allowed;
        if (decision.Outcome == PolicyOutcome.PolicyUnknown && !unknownPoliciesCount)
            return Reauthorization.Undecided;

        ProxyLog.ClosedByPolicy(home.Context.StateLog, connection.Source, connection.SourceIdentity?.ToString() ?? "", connection.Destination, current.Uid);
        return Reauthorization.Refused;
    }

    private static async Task<PolicyDecision> WaitForPoliciesAsync(WorkloadLoop home, Workload local, PolicyConnection connection, PolicyDecision first)
    {
        PolicyDecision? later = await home.Context.Mesh.WaitForAsync(
            mesh => Evaluate(home, mesh, local, in connection) is { Outcome: not PolicyOutcome.PolicyUnknown } known ? known : null,
            PolicyArrivalForNewConnections, home.Context.Time, CancellationToken.None);
        if (later is not null)
            return Told(home, later, in connection);

        foreach (string policy in first.UnknownPolicies)
            ProxyLog.UnknownPolicy(home.Context.StateLog, policy);
        return Told(home, first, in connection);
    }

    private static PolicyDecision Told(WorkloadLoop home, PolicyDecision decision, in PolicyConnection connection)
    {
        PolicyLog.Decided(home.Context.StateLog, home.Context.Settings.PolicyDecisionsAtInfo ? LogLevel.Information : LogLevel.Debug, decision, in connection);
        home.Context.Outcomes.Decided(home.Loop.Index, decision.Outcome);
        return decision;
    }
}

/// <summary>What a change of policies means for an open connection.</summary>
internal enum Reauthorization : byte
{
    Allowed,
    Refused,

    /// <summary>It depends on a policy that is not there yet.</summary>
    Undecided,
}
