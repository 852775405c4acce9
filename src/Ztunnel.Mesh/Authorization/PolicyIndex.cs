using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Authorization;

/// <summary>All policies by key and by where they apply. Replaced when a policy changes.</summary>
/// <remarks>
/// A set is built when it is first evaluated. When policies change, sets that are not touched are carried over, and those that are and were in use are built by the
/// writer before the snapshot is published, so that no loop pays for a push.
/// </remarks>
internal sealed class PolicyIndex
{
    public static readonly PolicyIndex Empty = new(HashIndex<Policy>.Empty, new PolicyGroup([]), ImmutableDictionary<string, PolicyGroup>.Empty);

    private readonly HashIndex<Policy> _byKey;
    private readonly PolicyGroup _global;
    private readonly ImmutableDictionary<string, PolicyGroup> _byNamespace;

    // By the list's owner, which replicas share. Weak, so that the set of a workload that left goes with it.
    private readonly ConditionalWeakTable<WorkloadTraits, PolicySet> _bySelection = [];

    private PolicyIndex(HashIndex<Policy> byKey, PolicyGroup global, ImmutableDictionary<string, PolicyGroup> byNamespace)
    {
        _byKey = byKey;
        _global = global;
        _byNamespace = byNamespace;
    }

    public int Count => _byKey.Count;

    public IEnumerable<Policy> All => _byKey.Items;

    public PolicySet Global => _global.Set;

    public Policy? Find(string key)
    {
        foreach (Policy policy in _byKey.Find(key.GetHashCode()))
        {
            if (policy.Key == key) return policy;
        }
        return null;
    }

    public PolicySet OfNamespace(string @namespace) => _byNamespace.TryGetValue(@namespace, out PolicyGroup? group) ? group.Set : PolicySet.Empty;

    /// <summary>The policies a workload refers to.</summary>
    public PolicySet SelectedBy(WorkloadTraits traits)
    {
        if (traits.AuthorizationPolicies.IsEmpty) return PolicySet.Empty;
        return _bySelection.TryGetValue(traits, out PolicySet? set) ? set : _bySelection.GetValue(traits, Select);
    }

    /// <summary>The index after a change. Policies both set and removed are removed.</summary>
    public PolicyIndex With(IReadOnlyList<Policy> upserts, IEnumerable<string> removals, List<string> unknownRemovals, out PolicyChange change)
    {
        HashIndex<Policy>.Builder byKey = _byKey.ToBuilder();
        var keys = new HashSet<string>(StringComparer.Ordinal);
        var touched = new Dictionary<string, List<Policy>>(StringComparer.Ordinal);   // by namespace, "" for the global ones
        foreach (Policy policy in upserts)
        {
            Policy? old = Find(byKey, policy.Key);
            if (policy == old) continue;
            if (old is not null) Take(old);
            int hash = policy.Compiled.Key.GetHashCode();   // compiled here, on the writer's thread
            byKey.Add(hash, policy);
            GroupOf(policy)?.Add(policy);
            keys.Add(policy.Key);
        }
        foreach (string key in removals)
        {
            if (Find(byKey, key) is { } old)
            {
                Take(old);
                keys.Add(key);
            }
            else
            {
                unknownRemovals.Add(key);
            }
        }
        change = keys.Count == 0
            ? PolicyChange.None
            : new PolicyChange(touched.ContainsKey(""), touched.Keys.Where(static @namespace => @namespace.Length > 0).ToHashSet(StringComparer.Ordinal), keys);
        if (keys.Count == 0) return this;

        PolicyGroup global = touched.Remove("", out List<Policy>? globals) ? _global.With(globals) : _global;
        ImmutableDictionary<string, PolicyGroup>.Builder byNamespace = _byNamespace.ToBuilder();
        foreach ((string @namespace, List<Policy> policies) in touched)
        {
            if (policies.Count == 0) byNamespace.Remove(@namespace);
            else byNamespace[@namespace] = byNamespace.TryGetValue(@namespace, out PolicyGroup? group) ? group.With(policies) : new PolicyGroup(policies);
        }
        var next = new PolicyIndex(byKey.Build(), global, byNamespace.ToImmutable());
        foreach ((WorkloadTraits traits, PolicySet set) in _bySelection)
        {
            bool isTouched = traits.AuthorizationPolicies.Any(keys.Contains);
            next._bySelection.Add(traits, isTouched ? next.Select(traits) : set);
        }
        return next;

        void Take(Policy old)
        {
            byKey.Remove(old.Key.GetHashCode(), old);
            GroupOf(old)?.Remove(old);
        }

        List<Policy>? GroupOf(Policy policy)
        {
            string? group = policy.Scope switch { PolicyScope.Global => "", PolicyScope.Namespace => policy.Namespace, _ => null };
            if (group is null) return null;
            if (!touched.TryGetValue(group, out List<Policy>? policies))
            {
                policies = [.. group.Length == 0 ? _global.Policies : _byNamespace.TryGetValue(group, out PolicyGroup? known) ? known.Policies : []];
                touched.Add(group, policies);
            }
            return policies;
        }
    }

    private static Policy? Find(HashIndex<Policy>.Builder byKey, string key)
    {
        foreach (Policy policy in byKey.Find(key.GetHashCode()))
        {
            if (policy.Key == key) return policy;
        }
        return null;
    }

    private PolicySet Select(WorkloadTraits traits)
    {
        var known = new List<Policy>();
        var unknown = new List<string>();
        foreach (string key in traits.AuthorizationPolicies)
        {
            if (Find(key) is { } policy) known.Add(policy);
            else unknown.Add(key);
        }
        return new PolicySet(known, unknown.ToValueArray());
    }

    /// <summary>Policies of one scope.</summary>
    private sealed class PolicyGroup(IReadOnlyCollection<Policy> policies)
    {
        private PolicySet? _set;

        public IReadOnlyCollection<Policy> Policies => policies;

        public PolicySet Set => _set ??= policies.Count == 0 ? PolicySet.Empty : new PolicySet(policies, default);

        public PolicyGroup With(IReadOnlyCollection<Policy> changed)
        {
            var next = new PolicyGroup(changed);
            if (_set is not null) _ = next.Set;   // in use: build it now
            return next;
        }
    }
}
