using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Authorization;

/// <summary>A policy prepared for evaluation: rules that can never match are gone.</summary>
internal sealed class CompiledPolicy
{
    public CompiledPolicy(Policy policy)
    {
        Policy = policy;
        Key = $"{policy.Namespace}/{policy.Name}";
        var rules = new List<CompiledRule>();
        foreach (PolicyRule rule in policy.Rules)
        {
            if (CompiledRule.Create(this, rule) is { } compiled) rules.Add(compiled);
        }
        Rules = [.. rules];
    }

    public Policy Policy { get; }

    public string Key { get; }

    public CompiledRule[] Rules { get; }
}

/// <summary>Clauses that must all match, each by one of its matches.</summary>
internal sealed class CompiledRule
{
    private CompiledRule(CompiledPolicy policy, CompiledMatch[][] clauses)
    {
        Policy = policy;
        Clauses = clauses;
    }

    public CompiledPolicy Policy { get; }

    /// <summary>Clauses that always match are left out, so every one here has matches.</summary>
    public CompiledMatch[][] Clauses { get; }

    /// <returns>Null when one clause can never match.</returns>
    public static CompiledRule? Create(CompiledPolicy policy, PolicyRule rule)
    {
        var clauses = new List<CompiledMatch[]>();
        foreach (PolicyClause clause in rule.Clauses)
        {
            if (clause.Matches.IsEmpty) continue;

            var matches = new List<CompiledMatch>();
            foreach (PolicyMatch match in clause.Matches)
            {
                if (CompiledMatch.Create(match, policy.Policy.Action) is { } compiled) matches.Add(compiled);
            }
            if (matches.Count == 0) return null;
            clauses.Add([.. matches]);
        }
        return new CompiledRule(policy, [.. clauses]);
    }

    public bool Matches(in MatchInput input)
    {
        foreach (CompiledMatch[] clause in Clauses)
        {
            if (!AnyMatches(clause, input)) return false;
        }
        return true;
    }

    private static bool AnyMatches(CompiledMatch[] clause, in MatchInput input)
    {
        foreach (CompiledMatch match in clause)
        {
            if (match.Matches(input)) return true;
        }
        return false;
    }
}
