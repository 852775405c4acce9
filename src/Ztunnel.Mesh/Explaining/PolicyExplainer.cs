using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Explaining;

/// <summary>
/// Says of every policy that applies to a workload whether it matches a connection, and if not, which rule comes closest. It reads the policies as they were sent, by the letter of control-path
/// 6.4, and not their compiled form: tests hold both against each other.
/// </summary>
public static class PolicyExplainer
{
    public static AuthorizationExplanation Explain(MeshSnapshot mesh, Workload destination, in PolicyConnection connection, PolicySettings settings)
    {
        PolicyConnection seen = connection;
        PolicyExplanation[] policies =
        [
            .. mesh.AllPolicies.Where(policy => AppliesTo(policy, destination))
                .OrderBy(static policy => policy.Action == PolicyAction.Deny ? 0 : 1).ThenBy(static policy => policy.Key, StringComparer.Ordinal)
                .Select(policy => Explain(policy, seen)),
        ];
        return new AuthorizationExplanation(PolicyEvaluator.Evaluate(mesh, destination, connection, settings), policies);
    }

    /// <summary>Control-path 6.2. What a workload lists applies to it, whatever its scope.</summary>
    private static bool AppliesTo(Policy policy, Workload destination) =>
        policy.Scope == PolicyScope.Global
        || (policy.Scope == PolicyScope.Namespace && policy.Namespace == destination.Namespace)
        || destination.AuthorizationPolicies.Contains(policy.Key);

    private static PolicyExplanation Explain(Policy policy, in PolicyConnection connection)
    {
        NearestRule? nearest = null;
        for (int i = 0; i < policy.Rules.Count; i++)
        {
            IReadOnlyList<FailedCondition> missing = FindMissing(policy.Rules[i], policy.Action, connection);
            if (missing.Count == 0) return new PolicyExplanation(policy, Matches: true, Nearest: null);
            if (nearest is null || missing.Count < nearest.Missing.Count) nearest = new NearestRule(i + 1, missing);
        }
        return new PolicyExplanation(policy, Matches: false, nearest);
    }

    // Every clause must match, each by the best of its matches.
    private static List<FailedCondition> FindMissing(PolicyRule rule, PolicyAction action, in PolicyConnection connection)
    {
        var missing = new List<FailedCondition>();
        foreach (PolicyClause clause in rule.Clauses)
        {
            List<FailedCondition>? best = null;
            foreach (PolicyMatch match in clause.Matches)
            {
                List<FailedCondition> failed = PolicyConditions.FindFailed(match, action, connection);
                if (best is null || failed.Count < best.Count) best = failed;
            }
            if (best is not null) missing.AddRange(best);
        }
        return missing;
    }
}
