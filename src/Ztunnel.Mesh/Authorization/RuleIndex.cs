using System.Diagnostics.CodeAnalysis;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Authorization;

/// <summary>Rules filed by what a connection must have for them to match, so that those of no concern are never looked at.</summary>
/// <remarks>
/// A rule matches only if each of its clauses does, so one clause decides where it is filed: one whose every match names exact principals, service accounts,
/// exact namespaces, source prefixes or ports. The rule is filed once under each such value. A rule without such a clause is in the list that every connection
/// goes through. Being found is necessary, never sufficient: what is found is evaluated in full.
/// </remarks>
internal sealed class RuleIndex
{
    private readonly List<CompiledRule> _always = [];
    private readonly Dictionary<SpiffeId, List<CompiledRule>> _byPrincipal = [];
    private readonly Dictionary<(string Namespace, string ServiceAccount), List<CompiledRule>> _byServiceAccount = [];
    private readonly Dictionary<string, List<CompiledRule>> _byNamespace = new(StringComparer.Ordinal);
    private readonly Dictionary<ushort, List<CompiledRule>> _byPort = [];
    private readonly List<SourcePrefixes> _bySource = [];

    public RuleIndex(IEnumerable<CompiledPolicy> policies)
    {
        foreach (CompiledPolicy policy in policies)
        {
            PolicyCount++;
            foreach (CompiledRule rule in policy.Rules) File(rule);
        }
    }

    /// <summary>Policies in the index, also those that never match: an ALLOW without rules still means that not everything is allowed.</summary>
    public int PolicyCount { get; }

    public bool TryFindMatch(in MatchInput input, [NotNullWhen(true)] out CompiledPolicy? policy)
    {
        policy = null;
        if (PolicyCount == 0) return false;
        policy = FirstMatch(input, all: null);
        return policy is not null;
    }

    /// <summary>The keys of every policy that matches.</summary>
    public SortedSet<string> FindMatches(in MatchInput input)
    {
        var all = new SortedSet<string>(StringComparer.Ordinal);
        FirstMatch(input, all);
        return all;
    }

    // One walk for both uses: with a set to collect into, it goes on after a match.
    private CompiledPolicy? FirstMatch(in MatchInput input, SortedSet<string>? all)
    {
        CompiledPolicy? match = First(_always, input, all);
        if (match is not null) return match;

        if (input.Identity is { } identity)
        {
            match = First(_byPrincipal.GetValueOrDefault(identity), input, all);
            if (match is not null) return match;
            if (_byServiceAccount.Count > 0) match = First(_byServiceAccount.GetValueOrDefault((identity.Namespace, identity.ServiceAccount)), input, all);
            if (match is not null) return match;
        }
        if (_byNamespace.Count > 0) match = First(_byNamespace.GetValueOrDefault(input.Namespace), input, all);
        if (match is not null) return match;
        match = First(_byPort.GetValueOrDefault(input.DestinationPort), input, all);
        if (match is not null) return match;
        foreach (SourcePrefixes prefixes in _bySource)
        {
            if (prefixes.IsIPv6 != input.Source.IsIPv6) continue;
            match = First(prefixes.Rules.GetValueOrDefault(input.Source.Masked(prefixes.Length).Bits), input, all);
            if (match is not null) return match;
        }
        return null;
    }

    private static CompiledPolicy? First(List<CompiledRule>? rules, in MatchInput input, SortedSet<string>? all)
    {
        if (rules is null) return null;
        foreach (CompiledRule rule in rules)
        {
            if (!rule.Matches(input)) continue;
            if (all is null) return rule.Policy;
            all.Add(rule.Policy.Key);
        }
        return null;
    }

    private void File(CompiledRule rule)
    {
        foreach (CompiledMatch[] clause in rule.Clauses)
        {
            if (!Array.TrueForAll(clause, IsSelective)) continue;
            foreach (CompiledMatch match in clause) File(rule, match);
            return;
        }
        _always.Add(rule);
    }

    private static bool IsSelective(CompiledMatch match) =>
        match.Principals?.OnlyExact is not null || match.ServiceAccounts is not null || match.Namespaces?.OnlyExact is not null
        || match.Sources is not null || match.Ports is not null;

    private void File(CompiledRule rule, CompiledMatch match)
    {
        if (match.Principals?.OnlyExact is { } principals)
        {
            foreach (SpiffeId principal in principals) Add(_byPrincipal, principal, rule);
        }
        else if (match.ServiceAccounts is { } accounts)
        {
            foreach ((string, string) account in accounts) Add(_byServiceAccount, account, rule);
        }
        else if (match.Sources is not null)
        {
            foreach (Cidr prefix in match.SourcePrefixes) Add(PrefixesOf(prefix).Rules, prefix.Network.Bits, rule);
        }
        else if (match.Namespaces?.OnlyExact is { } namespaces)
        {
            foreach (string @namespace in namespaces) Add(_byNamespace, @namespace, rule);
        }
        else
        {
            foreach (ushort port in match.Ports!) Add(_byPort, port, rule);
        }
    }

    private SourcePrefixes PrefixesOf(Cidr prefix)
    {
        foreach (SourcePrefixes known in _bySource)
        {
            if (known.IsIPv6 == prefix.IsIPv6 && known.Length == prefix.PrefixLength) return known;
        }
        var added = new SourcePrefixes(prefix.IsIPv6, prefix.PrefixLength, []);
        _bySource.Add(added);
        return added;
    }

    private static void Add<TKey>(Dictionary<TKey, List<CompiledRule>> file, TKey key, CompiledRule rule) where TKey : notnull
    {
        if (!file.TryGetValue(key, out List<CompiledRule>? rules)) file.Add(key, rules = []);
        if (rules.Count == 0 || !ReferenceEquals(rules[^1], rule)) rules.Add(rule);   // two matches of one clause may name the same value
    }

    private sealed record SourcePrefixes(bool IsIPv6, int Length, Dictionary<UInt128, List<CompiledRule>> Rules);
}
