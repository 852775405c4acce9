using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Authorization;

/// <summary>Decides whether a connection may reach a workload (control-path 6): its namespace's policies, the global ones and those it refers to.</summary>
public static class PolicyEvaluator
{
    public static PolicyDecision Evaluate(MeshSnapshot mesh, Workload destination, in PolicyConnection connection, PolicySettings settings)
    {
        PolicyIndex policies = mesh.Policies;
        PolicySet global = policies.Global;
        PolicySet ofNamespace = policies.OfNamespace(destination.Namespace);
        PolicySet selected = policies.SelectedBy(destination.Traits);
        var input = new MatchInput(connection);

        // Step 1: DENY policies in dry run are reported only.
        ValueArray<string> wouldDeny = Matches(global.DryRunDeny, ofNamespace.DryRunDeny, selected.DryRunDeny, input);

        // Step 2: any DENY that matches ends it, whatever else there is.
        if (TryFindMatch(global.Deny, ofNamespace.Deny, selected.Deny, input) is { } denying)
        {
            return new PolicyDecision(PolicyOutcome.ExplicitlyDenied)
            {
                Policy = denying.Key,
                UnknownPolicies = selected.Unknown,
                DryRun = wouldDeny.IsEmpty ? null : new DryRunReport(wouldDeny, default, WouldNotAllow: false),
            };
        }

        // Step 3: ALLOW policies in dry run are reported only.
        bool anyDryRunAllow = global.DryRunAllow.PolicyCount + ofNamespace.DryRunAllow.PolicyCount + selected.DryRunAllow.PolicyCount > 0;
        ValueArray<string> wouldAllow = anyDryRunAllow ? Matches(global.DryRunAllow, ofNamespace.DryRunAllow, selected.DryRunAllow, input) : default;
        DryRunReport? dryRun = wouldDeny.IsEmpty && !anyDryRunAllow ? null : new DryRunReport(wouldDeny, wouldAllow, anyDryRunAllow && wouldAllow.IsEmpty);

        // Step 4: without ALLOW policies everything else may pass; with them, one must match.
        bool anyAllow = global.Allow.PolicyCount + ofNamespace.Allow.PolicyCount + selected.Allow.PolicyCount > 0;
        CompiledPolicy? allowing = anyAllow ? TryFindMatch(global.Allow, ofNamespace.Allow, selected.Allow, input) : null;
        PolicyOutcome outcome = anyAllow && allowing is null ? PolicyOutcome.NotAllowed : PolicyOutcome.Allowed;

        // Step 5: a policy nobody has sent yet might deny what passes so far, or allow what does not.
        if (!selected.Unknown.IsEmpty && settings.UnknownPolicies == UnknownPolicyHandling.FailClosed) outcome = PolicyOutcome.PolicyUnknown;

        if (outcome == PolicyOutcome.Allowed && allowing is null && dryRun is null && selected.Unknown.IsEmpty) return PolicyDecision.AllowedWithoutPolicies;
        return new PolicyDecision(outcome) { Policy = allowing?.Key, UnknownPolicies = selected.Unknown, DryRun = dryRun };
    }

    private static CompiledPolicy? TryFindMatch(RuleIndex global, RuleIndex ofNamespace, RuleIndex selected, in MatchInput input) =>
        global.TryFindMatch(input, out CompiledPolicy? policy) || ofNamespace.TryFindMatch(input, out policy) || selected.TryFindMatch(input, out policy) ? policy : null;

    private static ValueArray<string> Matches(RuleIndex global, RuleIndex ofNamespace, RuleIndex selected, in MatchInput input)
    {
        if (global.PolicyCount + ofNamespace.PolicyCount + selected.PolicyCount == 0) return default;
        SortedSet<string> keys = global.FindMatches(input);
        keys.UnionWith(ofNamespace.FindMatches(input));
        keys.UnionWith(selected.FindMatches(input));
        return keys.ToValueArray();
    }
}
