using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Authorization;

/// <summary>Policies that apply together, by what they do. Immutable once built.</summary>
internal sealed class PolicySet
{
    public static readonly PolicySet Empty = new([], default);

    public PolicySet(IReadOnlyCollection<Policy> policies, ValueArray<string> unknown)
    {
        Deny = Index(policies, PolicyAction.Deny, dryRun: false);
        Allow = Index(policies, PolicyAction.Allow, dryRun: false);
        DryRunDeny = Index(policies, PolicyAction.Deny, dryRun: true);
        DryRunAllow = Index(policies, PolicyAction.Allow, dryRun: true);
        Unknown = unknown;
    }

    public RuleIndex Deny { get; }

    public RuleIndex Allow { get; }

    public RuleIndex DryRunDeny { get; }

    public RuleIndex DryRunAllow { get; }

    /// <summary>Keys that were asked for and are not known.</summary>
    public ValueArray<string> Unknown { get; }

    private static RuleIndex Index(IReadOnlyCollection<Policy> policies, PolicyAction action, bool dryRun) =>
        new(policies.Where(policy => policy.Action == action && policy.DryRun == dryRun).Select(static policy => policy.Compiled));
}
