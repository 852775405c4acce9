using System.Net;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Explaining;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Authorization;

/// <summary>The evaluator agrees with the rules of control-path 6 written down plainly, on policies and connections made at random from few values.</summary>
public sealed class PolicyPropertyTests
{
    private static readonly string[] Domains = ["td", "td2"];
    private static readonly string[] Names = ["a", "b", "ab", ""];
    private static readonly string[] Ips = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.1", "fd00::1", "fd00::2"];
    private static readonly int[] Ports = [80, 443, 8080];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Evaluate_RandomPolicies_AgreesWithThePlainRules(int seed)
    {
        var random = new Random(seed);
        int allowed = 0;
        for (int mesh = 0; mesh < 500; mesh++)
        {
            Policy[] policies = [.. Enumerable.Range(0, random.Next(6)).Select(i => RandomPolicy(random, $"p{i}"))];
            ValueArray<string> listed = Some(random, policies.Select(static policy => policy.Key).Append("x/unknown"), 0.3);
            Workload destination = Pod("server", "10.0.0.1", "a").With(traits => traits with { AuthorizationPolicies = listed });
            var snapshot = Store([destination, .. policies]).Current;
            var settings = new PolicySettings { UnknownPolicies = random.Next(2) == 0 ? UnknownPolicyHandling.Skip : UnknownPolicyHandling.FailClosed };
            for (int i = 0; i < 20; i++)
            {
                var target = new IPEndPoint(IPAddress.Parse(Pick(random, Ips)), Pick(random, Ports));
                var connection = new PolicyConnection(RandomIdentity(random), IPAddress.Parse(Pick(random, Ips)), target);

                PolicyDecision decision = PolicyEvaluator.Evaluate(snapshot, destination, connection, settings);
                (PolicyOutcome outcome, HashSet<string> deciding, DryRunReport dryRun) = Plain(policies, destination, connection, settings);

                Assert.Equal(outcome, decision.Outcome);
                Assert.True(decision.Policy is null ? deciding.Count == 0 : deciding.Contains(decision.Policy), $"{decision.Policy} is not one of {string.Join(' ', deciding)}");
                Assert.Equal(dryRun, decision.DryRun ?? new DryRunReport([], [], WouldNotAllow: false));
                AssertExplained(snapshot, policies, destination, connection, settings, decision);
                if (decision.Allowed) allowed++;
            }
        }
        Assert.InRange(allowed, 2_000, 8_000);   // both answers occur often, or the test shows nothing
    }

    // What `ztunnel explain` says of each policy is what the plain rules say; one that does not match names what is missing, unless it has no rules.
    private static void AssertExplained(MeshSnapshot snapshot, Policy[] policies, Workload destination, PolicyConnection connection, PolicySettings settings, PolicyDecision decision)
    {
        AuthorizationExplanation explained = PolicyExplainer.Explain(snapshot, destination, connection, settings);
        Assert.Equal(decision.Outcome, explained.Decision.Outcome);
        foreach (PolicyExplanation policy in explained.Policies)
        {
            Assert.Equal(policy.Policy.Rules.Any(rule => Matches(policy.Policy, rule, connection)), policy.Matches);
            Assert.Equal(!policy.Matches && !policy.Policy.Rules.IsEmpty, policy.Nearest is { Missing.Count: > 0 });
        }
        Assert.Equal(policies.Count(policy => AppliesTo(policy, destination)), explained.Policies.Count);
    }

    private static bool AppliesTo(Policy policy, Workload destination) =>
        policy.Scope == PolicyScope.Global
        || (policy.Scope == PolicyScope.Namespace && policy.Namespace == destination.Namespace)
        || destination.AuthorizationPolicies.Contains(policy.Key);

    private static (PolicyOutcome Outcome, HashSet<string> Deciding, DryRunReport DryRun) Plain(
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

    private static bool Matches(Policy policy, PolicyRule rule, PolicyConnection connection) =>
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

    private static Policy RandomPolicy(Random random, string name) => new()
    {
        Name = name,
        Namespace = Pick(random, "a", "b"),
        Scope = (PolicyScope)random.Next(3),
        Action = (PolicyAction)random.Next(2),
        DryRun = random.Next(4) == 0,
        Rules = Many(random, 3, () => new PolicyRule(Many(random, 3, () => new PolicyClause(Many(random, 3, () => RandomMatch(random)))))),
    };

    private static PolicyMatch RandomMatch(Random random) => new()
    {
        Namespaces = Sometimes(random, () => RandomString(random, () => Pick(random, Names))),
        NotNamespaces = Sometimes(random, () => RandomString(random, () => Pick(random, Names))),
        Principals = Sometimes(random, () => RandomString(random, () => RandomIdentity(random)?.ToString()["spiffe://".Length..] ?? "td/")),
        NotPrincipals = Sometimes(random, () => RandomString(random, () => RandomIdentity(random)?.ToString()["spiffe://".Length..] ?? "td/")),
        ServiceAccounts = Sometimes(random, () => new ServiceAccountMatch(Pick(random, Names), Pick(random, Names))),
        NotServiceAccounts = Sometimes(random, () => new ServiceAccountMatch(Pick(random, Names), Pick(random, Names))),
        SourceIps = Sometimes(random, () => RandomCidr(random)),
        NotSourceIps = Sometimes(random, () => RandomCidr(random)),
        DestinationIps = Sometimes(random, () => RandomCidr(random)),
        NotDestinationIps = Sometimes(random, () => RandomCidr(random)),
        DestinationPorts = Sometimes(random, () => (ushort)Pick(random, Ports)),
        NotDestinationPorts = Sometimes(random, () => (ushort)Pick(random, Ports)),
        Unreadable = random.Next(8) == 0 ? (MatchKinds)(1 << random.Next(6)) : MatchKinds.None,
    };

    private static StringMatch RandomString(Random random, Func<string> text) => new((StringMatchKind)random.Next(4), text());

    private static Cidr RandomCidr(Random random)
    {
        IPAddress address = IPAddress.Parse(Pick(random, Ips));
        return Cidr.Create(address, Pick<int>(random, address.GetAddressBytes().Length == 4 ? [0, 8, 24, 31, 32] : [0, 8, 127, 128]))!;
    }

    private static SpiffeId? RandomIdentity(Random random) => random.Next(3) == 0 ? null : new SpiffeId(Pick(random, Domains), Pick(random, Names), Pick(random, Names));

    private static ValueArray<T> Sometimes<T>(Random random, Func<T> make) => random.Next(6) == 0 ? Many(random, 3, make) : default;

    private static ValueArray<T> Many<T>(Random random, int below, Func<T> make) => Enumerable.Range(0, random.Next(below)).Select(_ => make()).ToValueArray();

    private static ValueArray<T> Some<T>(Random random, IEnumerable<T> items, double share) => items.Where(_ => random.NextDouble() < share).ToValueArray();

    private static T Pick<T>(Random random, params T[] items) => items[random.Next(items.Length)];
}
