using System.Net;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Tests.Authorization;

/// <summary>Control-path 6 written down as it stands there, without an index, a hash or an early end: what the evaluator is compared with. It shares no code with it but the records of the model.</summary>
internal static class PlainRules
{
    public static bool AppliesTo(Policy policy, Workload destination) =>
        policy.Scope == PolicyScope.Global
        || (policy.Scope == PolicyScope.Namespace && policy.Namespace == destination.Namespace)
        || destination.AuthorizationPolicies.Contains(policy.Key);

    public static (PolicyOutcome Outcome, HashSet<string> Deciding, DryRunReport DryRun) Decide(
        Policy[] all, Workload destination, PolicyConnection connection, PolicySettings settings)
    {
        Policy[] applicable = [.. all.Where(policy => AppliesTo(policy, destination))];
        bool unknown = destination.AuthorizationPolicies.Any(key => all.All(policy => policy.Key != key)) && settings.UnknownPolicies == UnknownPolicyHandling.FailClosed;

        ValueArray<string> wouldDeny = Matching(PolicyAction.Deny, dryRun: true).Order(StringComparer.Ordinal).ToValueArray();
        HashSet<string> denying = Matching(PolicyAction.Deny, dryRun: false);
        if (denying.Count > 0) return (PolicyOutcome.ExplicitlyDenied, denying, new DryRunReport(wouldDeny, [], WouldNotAllow: false));

        ValueArray<string> wouldAllow = Matching(PolicyAction.Allow, dryRun: true).Order(StringComparer.Ordinal).ToValueArray();
        var dryRun = new DryRunReport(wouldDeny, wouldAllow, wouldAllow.IsEmpty && applicable.Any(static policy => policy is { Action: PolicyAction.Allow, DryRun: true }));
        HashSet<string> allowing = Matching(PolicyAction.Allow, dryRun: false);
        if (unknown) return (PolicyOutcome.PolicyUnknown, allowing, dryRun);
        if (!applicable.Any(static policy => policy is { Action: PolicyAction.Allow, DryRun: false })) return (PolicyOutcome.Allowed, [], dryRun);
        return (allowing.Count > 0 ? PolicyOutcome.Allowed : PolicyOutcome.NotAllowed, allowing, dryRun);

        HashSet<string> Matching(PolicyAction action, bool dryRun) =>
            [.. applicable
                .Where(policy => policy.Action == action && policy.DryRun == dryRun && policy.Rules.Any(rule => Matches(policy, rule, connection)))
                .Select(static policy => policy.Key)];
    }

    public static bool Matches(Policy policy, PolicyRule rule, PolicyConnection connection) =>
        rule.Clauses.All(clause => clause.Matches.IsEmpty || clause.Matches.Any(match => Matches(policy, match, connection)));

    private static bool Matches(Policy policy, PolicyMatch match, PolicyConnection connection)
    {
        if (match.IsEmpty || (match.Unreadable != 0 && policy.Action == PolicyAction.Allow)) return false;

        string? principal = connection.SourceIdentity?.ToString()["spiffe://".Length..];
        string @namespace = connection.SourceIdentity?.Namespace ?? "";
        return Kind(MatchKinds.DestinationIps, match.DestinationIps, match.NotDestinationIps, cidr => Contains(cidr, connection.Destination.Address))
            && Kind(MatchKinds.SourceIps, match.SourceIps, match.NotSourceIps, cidr => Contains(cidr, connection.Source))
            && Kind(MatchKinds.DestinationPorts, match.DestinationPorts, match.NotDestinationPorts, port => port == connection.Destination.Port)
            && Kind(MatchKinds.ServiceAccounts, match.ServiceAccounts, match.NotServiceAccounts, account =>
                connection.SourceIdentity is { } id && id.Namespace == account.Namespace && id.ServiceAccount == account.ServiceAccount)
            && Kind(MatchKinds.Principals, match.Principals, match.NotPrincipals, text => principal is not null && Matches(text, principal))
            && Kind(MatchKinds.Namespaces, match.Namespaces, match.NotNamespaces, text => Matches(text, @namespace));

        bool Kind<T>(MatchKinds kind, ValueArray<T> positive, ValueArray<T> negative, Func<T, bool> holds) =>
            (match.Unreadable & kind) != 0 || ((positive.IsEmpty || positive.Any(holds)) && !negative.Any(holds));
    }

    private static bool Matches(StringMatch match, string text) => match.Kind switch
    {
        StringMatchKind.Exact => text == match.Value,
        StringMatchKind.Prefix => text.StartsWith(match.Value, StringComparison.Ordinal),
        StringMatchKind.Suffix => text.EndsWith(match.Value, StringComparison.Ordinal),
        _ => text.Length > 0,
    };

    // Bit by bit, unlike the product.
    private static bool Contains(Cidr cidr, IPAddress address)
    {
        byte[] prefix = cidr.Address.GetAddressBytes();
        byte[] bytes = address.GetAddressBytes();
        return prefix.Length == bytes.Length && Enumerable.Range(0, cidr.PrefixLength).All(bit => ((prefix[bit / 8] ^ bytes[bit / 8]) & (0x80 >> (bit % 8))) == 0);
    }
}
