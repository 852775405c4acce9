using System.Text;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Authorization;

/// <summary>One question to the evaluator, with all it depends on; can be made smaller as long as something about it stays true, and be written down.</summary>
internal sealed record PolicyCase(Policy[] Policies, Workload Destination, PolicyConnection Connection, PolicySettings Settings)
{
    public MeshSnapshot Snapshot => Store([Destination, .. Policies]).Current;

    public PolicyDecision Evaluate() => Evaluate(Snapshot);

    /// <summary>With the <see cref="Snapshot"/> of an earlier case that differs in its connection only.</summary>
    public PolicyDecision Evaluate(MeshSnapshot snapshot) => PolicyEvaluator.Evaluate(snapshot, Destination, Connection, Settings);

    public PolicyCase With(Policy more, bool isListed = false) => this with
    {
        Policies = [.. Policies, more],
        Destination = isListed ? Listing([.. Destination.AuthorizationPolicies, more.Key]) : Destination,
    };

    public PolicyCase Replacing(int index, Policy by) => this with { Policies = [.. Policies[..index], by, .. Policies[(index + 1)..]] };

    public Workload Listing(IEnumerable<string> keys) => Destination.With(traits => traits with { AuthorizationPolicies = keys.ToValueArray() });

    /// <summary>The smallest case found, by leaving out one thing after the other, for which this still holds.</summary>
    public PolicyCase Shrink(Func<PolicyCase, bool> holds)
    {
        PolicyCase smallest = this;
        while (smallest.Smaller().FirstOrDefault(holds) is { } smaller)
            smallest = smaller;
        return smallest;
    }

    public override string ToString()
    {
        var text = new StringBuilder($"{Connection.SourceIdentity?.ToString() ?? "plain text"} from {Connection.Source} to {Connection.Destination}, unknown policies {Settings.UnknownPolicies}, workload in {Destination.Namespace} lists [{string.Join(' ', Destination.AuthorizationPolicies.AsEnumerable())}]\n");
        foreach (Policy policy in Policies)
        {
            text.Append($"{(policy.DryRun ? "dry " : "")}{policy.Action} {policy.Scope} {policy.Key}\n");
            foreach (PolicyRule rule in policy.Rules)
                text.Append($"  rule {string.Join(" AND ", rule.Clauses.Select(static clause => $"({string.Join(" OR ", clause.Matches.Select(Describe))})"))}\n");
        }

        return text.ToString();
    }

    private static string Describe(PolicyMatch match)
    {
        string[] conditions =
        [
            Say("ns", match.Namespaces), Say("not ns", match.NotNamespaces), Say("principal", match.Principals), Say("not principal", match.NotPrincipals),
            Say("account", match.ServiceAccounts), Say("not account", match.NotServiceAccounts), Say("from", match.SourceIps), Say("not from", match.NotSourceIps),
            Say("to", match.DestinationIps), Say("not to", match.NotDestinationIps), Say("port", match.DestinationPorts), Say("not port", match.NotDestinationPorts),
            match.Unreadable == MatchKinds.None ? "" : $"unreadable {match.Unreadable}",
        ];
        return $"{{{string.Join("; ", conditions.Where(static condition => condition.Length > 0))}}}";
    }

    private static string Say<T>(string what, ValueArray<T> values) => values.IsEmpty ? "" : $"{what} {string.Join(' ', values.AsEnumerable())}";

    private IEnumerable<PolicyCase> Smaller()
    {
        for (int i = 0; i < Policies.Length; i++)
        {
            yield return this with { Policies = [.. Policies[..i], .. Policies[(i + 1)..]] };
            foreach (Policy smaller in Smaller(Policies[i]))
                yield return Replacing(i, smaller);
        }

        foreach (string key in Destination.AuthorizationPolicies.AsEnumerable())
            yield return this with { Destination = Listing(Destination.AuthorizationPolicies.Where(listed => listed != key)) };
    }

    private static IEnumerable<Policy> Smaller(Policy policy) =>
        Smaller(policy.Rules, static rule => Smaller(rule.Clauses, static clause => Smaller(clause.Matches, Smaller).Select(static matches => new PolicyClause(matches))).Select(static clauses => new PolicyRule(clauses)))
            .Select(rules => policy with { Rules = rules });

    private static IEnumerable<PolicyMatch> Smaller(PolicyMatch match)
    {
        PolicyMatch[] without =
        [
            match with { Namespaces = [] }, match with { NotNamespaces = [] }, match with { Principals = [] }, match with { NotPrincipals = [] }, match with { ServiceAccounts = [] }, match with { NotServiceAccounts = [] },
            match with { SourceIps = [] }, match with { NotSourceIps = [] }, match with { DestinationIps = [] }, match with { NotDestinationIps = [] }, match with { DestinationPorts = [] }, match with { NotDestinationPorts = [] },
            match with { Unreadable = MatchKinds.None },
        ];
        return without.Where(smaller => smaller != match);
    }

    // One item less, or one item smaller.
    private static IEnumerable<ValueArray<T>> Smaller<T>(ValueArray<T> items, Func<T, IEnumerable<T>> shrink)
    {
        T[] all = [.. items];
        for (int i = 0; i < all.Length; i++)
        {
            yield return all[..i].Concat(all[(i + 1)..]).ToValueArray();
            foreach (T smaller in shrink(all[i]))
                yield return all[..i].Append(smaller).Concat(all[(i + 1)..]).ToValueArray();
        }
    }
}
