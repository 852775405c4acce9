using System.Net;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Authorization;

/// <summary>Control-path 6 with the vectors of 13.</summary>
public sealed class PolicyEvaluatorTests
{
    private static readonly Workload Destination = Pod("server", "127.0.0.2");

    private static readonly PolicyConnection[] Connections =
    [
        new(null, IPAddress.Parse("127.0.0.1"), At("127.0.0.2:8080")),
        new(SpiffeId.Parse("spiffe://td/ns/namespace/sa/account"), IPAddress.Parse("127.0.0.1"), At("127.0.0.2:8080")),
        new(SpiffeId.Parse("spiffe://td-alt/ns/ns-alt/sa/account"), IPAddress.Parse("127.0.0.3"), At("127.0.0.4:9090")),
    ];

    private static readonly StringMatch Namespace = StringMatch.Exact("namespace");
    private static readonly StringMatch Principal = StringMatch.Exact("td/ns/namespace/sa/account");
    private static readonly ServiceAccountMatch Account = new("namespace", "account");

    /// <summary>What is in the policy, and whether it matches C0 (plaintext), C1 and C2.</summary>
    public static TheoryData<string, PolicyRule[], string> Vectors => new()
    {
        { "no rules", [], "no no no" },
        { "one rule, no clauses", [new PolicyRule([])], "yes yes yes" },
        { "one clause, no matches", [new PolicyRule([new PolicyClause([])])], "yes yes yes" },
        { "one empty match", [Rule(new PolicyMatch())], "no no no" },
        { "an empty match beside another", [Rule(new PolicyMatch(), new PolicyMatch { DestinationPorts = [8080] })], "yes yes no" },
        { "namespace", [Rule(new PolicyMatch { Namespaces = [Namespace] })], "no yes no" },
        { "not namespace", [Rule(new PolicyMatch { NotNamespaces = [Namespace] })], "yes no yes" },
        { "namespace prefix", [Rule(new PolicyMatch { Namespaces = [StringMatch.Prefix("ns-")] })], "no no yes" },
        { "namespace suffix", [Rule(new PolicyMatch { Namespaces = [StringMatch.Suffix("space")] })], "no yes no" },
        { "namespace presence", [Rule(new PolicyMatch { Namespaces = [StringMatch.Presence] })], "no yes yes" },
        { "namespace empty", [Rule(new PolicyMatch { Namespaces = [StringMatch.Exact("")] })], "yes no no" },
        { "namespace in another case", [Rule(new PolicyMatch { Namespaces = [StringMatch.Exact("Namespace")] })], "no no no" },
        { "principal", [Rule(new PolicyMatch { Principals = [Principal] })], "no yes no" },
        { "not principal", [Rule(new PolicyMatch { NotPrincipals = [Principal] })], "yes no yes" },
        { "principal with scheme", [Rule(new PolicyMatch { Principals = [StringMatch.Exact("spiffe://td/ns/namespace/sa/account")] })], "no no no" },
        { "principal prefix with scheme", [Rule(new PolicyMatch { Principals = [StringMatch.Prefix("spiffe://")] })], "no no no" },
        { "principal prefix", [Rule(new PolicyMatch { Principals = [StringMatch.Prefix("td/")] })], "no yes no" },
        { "principal suffix", [Rule(new PolicyMatch { Principals = [StringMatch.Suffix("/sa/account")] })], "no yes yes" },
        { "principal empty prefix", [Rule(new PolicyMatch { Principals = [StringMatch.Prefix("")] })], "no yes yes" },
        { "principal presence", [Rule(new PolicyMatch { Principals = [StringMatch.Presence] })], "no yes yes" },
        { "not principal presence (STRICT)", [Rule(new PolicyMatch { NotPrincipals = [StringMatch.Presence] })], "yes no no" },
        { "service account", [Rule(new PolicyMatch { ServiceAccounts = [Account] })], "no yes no" },
        { "not service account", [Rule(new PolicyMatch { NotServiceAccounts = [Account] })], "yes no yes" },
        { "source", [Rule(new PolicyMatch { SourceIps = [Cidr("127.0.0.1/32")] })], "yes yes no" },
        { "not source", [Rule(new PolicyMatch { NotSourceIps = [Cidr("127.0.0.1/32")] })], "no no yes" },
        { "source everything", [Rule(new PolicyMatch { SourceIps = [Cidr("0.0.0.0/0")] })], "yes yes yes" },
        { "source of the other family", [Rule(new PolicyMatch { SourceIps = [Cidr("::/0")] })], "no no no" },
        { "source mapped into IPv6", [Rule(new PolicyMatch { SourceIps = [Cidr("::ffff:127.0.0.1/128")] })], "yes yes no" },
        { "destination with host bits", [Rule(new PolicyMatch { DestinationIps = [Cidr("127.0.0.1/24")] })], "yes yes yes" },
        { "not destination", [Rule(new PolicyMatch { NotDestinationIps = [Cidr("127.0.0.2/32")] })], "no no yes" },
        { "port", [Rule(new PolicyMatch { DestinationPorts = [8080] })], "yes yes no" },
        { "not port", [Rule(new PolicyMatch { NotDestinationPorts = [8080] })], "no no yes" },
        {
            "clauses are AND, matches OR",
            [new PolicyRule([Clause(Namespaces("namespace"), Namespaces("b")), Clause(new PolicyMatch { DestinationPorts = [8080] })])],
            "no yes no"
        },
        { "clauses are AND", [new PolicyRule([Clause(Namespaces("namespace")), Clause(new PolicyMatch { DestinationPorts = [80] })])], "no no no" },
        { "rules are OR", [Rule(Namespaces("namespace")), Rule(new PolicyMatch { DestinationPorts = [9090] })], "no yes yes" },
        { "kinds are AND", [Rule(new PolicyMatch { Namespaces = [Namespace], DestinationPorts = [9090] })], "no no no" },
        { "positive and negative of one kind", [Rule(new PolicyMatch { Namespaces = [StringMatch.Presence], NotNamespaces = [Namespace] })], "no no yes" },
        { "values of one kind are OR", [Rule(new PolicyMatch { DestinationPorts = [8080, 9090] })], "yes yes yes" },
    };

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Evaluate_Vector_MatchesAsDenyAndAsAllow(string content, PolicyRule[] rules, string expected)
    {
        Policy deny = Policy("deny", PolicyAction.Deny, rules);
        Policy allow = Policy("allow", PolicyAction.Allow, rules);

        string asDeny = string.Join(' ', Connections.Select(connection => Decide(connection, deny).Allowed ? "no" : "yes"));
        string asAllow = string.Join(' ', Connections.Select(connection => Decide(connection, allow).Allowed ? "yes" : "no"));

        Assert.Equal((content, expected, expected), (content, asDeny, asAllow));
    }

    [Fact]
    public void Evaluate_WithoutPolicies_Allows() => Assert.Equal((true, ""), Result(Decide(Connections[0])));

    [Fact]
    public void Evaluate_OnlyDryRun_AllowsAndReports()
    {
        PolicyDecision decision = Decide(
            Connections[0],
            Policy("dry-deny", PolicyAction.Deny, new PolicyRule([])) with { DryRun = true },
            Policy("dry-allow", PolicyAction.Allow, Rule(Namespaces("other"))) with { DryRun = true });

        Assert.True(decision.Allowed);
        Assert.Equal(new DryRunReport(["default/dry-deny"], [], WouldNotAllow: true), decision.DryRun);
    }

    [Fact]
    public void Evaluate_DryRunAllowMatches_IsReported()
    {
        PolicyDecision decision = Decide(Connections[0], Policy("dry-allow", PolicyAction.Allow, new PolicyRule([])) with { DryRun = true });

        Assert.Equal(new DryRunReport([], ["default/dry-allow"], WouldNotAllow: false), decision.DryRun);
    }

    [Fact]
    public void Evaluate_AllowExistsAndNoneMatches_Denies() =>
        Assert.Equal((false, "allow policies exist, but none allowed"), Result(Decide(Connections[0], Policy("allow", PolicyAction.Allow, Rule(Namespaces("x"))))));

    [Fact]
    public void Evaluate_DenyAndAllowMatch_NamesTheDeny()
    {
        PolicyDecision decision = Decide(
            Connections[0],
            Policy("allow", PolicyAction.Allow, new PolicyRule([])),
            Policy("deny", PolicyAction.Deny, new PolicyRule([])) with { Namespace = "ns1", Scope = PolicyScope.Global });

        Assert.Equal((false, "explicitly denied by: ns1/deny"), Result(decision));
        Assert.Equal((PolicyOutcome.ExplicitlyDenied, "ns1/deny"), (decision.Outcome, decision.Policy));
    }

    [Fact]
    public void Evaluate_AllowMatches_NamesIt() => Assert.Equal("default/allow", Decide(Connections[0], Policy("allow", PolicyAction.Allow, new PolicyRule([]))).Policy);

    [Theory]
    [InlineData(PolicyScope.Global, "anywhere", true)]
    [InlineData(PolicyScope.Namespace, "default", true)]
    [InlineData(PolicyScope.Namespace, "other", false)]
    [InlineData(PolicyScope.WorkloadSelector, "default", false)]
    public void Evaluate_Scope_DecidesWhereAPolicyApplies(PolicyScope scope, string @namespace, bool applies)
    {
        Policy deny = Policy("deny", PolicyAction.Deny, new PolicyRule([])) with { Scope = scope, Namespace = @namespace };

        Assert.Equal(applies, !Decide(Connections[0], deny).Allowed);
    }

    [Fact]
    public void Evaluate_SelectorPolicy_AppliesToWhoListsIt()
    {
        Policy deny = Policy("deny", PolicyAction.Deny, new PolicyRule([])) with { Scope = PolicyScope.WorkloadSelector, Namespace = "root" };
        Workload selected = Selecting("root/deny");

        Assert.Equal("explicitly denied by: root/deny", Decide(selected, Connections[0], deny).Reason);
    }

    [Fact]
    public void Evaluate_ScopeChanged_IsIndexedAnew()
    {
        Policy deny = Policy("deny", PolicyAction.Deny, new PolicyRule([]));
        MeshStore store = Store(Destination, deny);
        Assert.False(Decide(store, Destination).Allowed);

        store.Apply(Update(deny with { Scope = PolicyScope.WorkloadSelector }));
        Assert.True(Decide(store, Destination).Allowed);
        Assert.False(Decide(store, Selecting("default/deny")).Allowed);

        store.Apply(Update(deny with { Scope = PolicyScope.Global }));
        Assert.False(Decide(store, Destination).Allowed);
        Assert.False(Decide(store, Pod("elsewhere", "10.0.0.1", "elsewhere")).Allowed);

        store.Apply(new MeshUpdate { RemovedPolicies = { "default/deny" } });
        Assert.True(Decide(store, Destination).Allowed);
        Assert.Empty(store.Current.AllPolicies);
    }

    [Fact]
    public void Evaluate_AfterEachPush_SeesThePoliciesOfThatPush()
    {
        // Evaluated before every push, so that the sets in use are the ones built again or carried over.
        Workload selecting = Selecting("root/listed") with { Uid = "selecting" };
        Policy listed = Policy("listed", PolicyAction.Deny) with { Namespace = "root", Scope = PolicyScope.WorkloadSelector };
        Policy global = Policy("global", PolicyAction.Deny) with { Namespace = "root", Scope = PolicyScope.Global };
        Policy inNamespace = Policy("namespace", PolicyAction.Deny);
        MeshStore store = Store(Destination, selecting, listed, global, inNamespace);
        selecting = store.Current.FindWorkloadByUid("selecting")!;

        foreach (Policy policy in (Policy[])[listed, global, inNamespace])
        {
            Assert.True(Decide(store, selecting).Allowed);
            store.Apply(Update(policy with { Rules = [new PolicyRule([])] }));
            Assert.Equal($"explicitly denied by: {policy.Key}", Decide(store, selecting).Reason);
            Assert.Equal(policy != listed, !Decide(store, Destination).Allowed);
            store.Apply(Update(policy));
        }
        Assert.True(Decide(store, selecting).Allowed);

        store.Apply(new MeshUpdate { RemovedPolicies = { "root/listed" } });
        Assert.Equal(PolicyOutcome.PolicyUnknown, Decide(store, selecting).Outcome);
    }

    [Fact]
    public void Evaluate_UnknownReference_FailsClosedUnlessSkipped()
    {
        Workload selecting = Selecting("root/strict");
        MeshStore store = Store(selecting);

        PolicyDecision closed = Decide(store, selecting);
        PolicyDecision skipped = PolicyEvaluator.Evaluate(store.Current, selecting, Connections[0], new PolicySettings { UnknownPolicies = UnknownPolicyHandling.Skip });

        Assert.Equal((PolicyOutcome.PolicyUnknown, "policy is not known: root/strict"), (closed.Outcome, closed.Reason));
        Assert.True(skipped.Allowed);
        Assert.Equal("root/strict", Assert.Single((IEnumerable<string>)skipped.UnknownPolicies));

        Policy strict = Policy("strict", PolicyAction.Deny, Rule(new PolicyMatch { NotPrincipals = [StringMatch.Presence] }));
        store.Apply(Update(strict with { Namespace = "root", Scope = PolicyScope.WorkloadSelector }));
        Assert.Equal("explicitly denied by: root/strict", Decide(store, selecting).Reason);
        Assert.True(PolicyEvaluator.Evaluate(store.Current, selecting, Connections[1], PolicySettings.Default).Allowed);
    }

    [Fact]
    public void Evaluate_UnknownReferenceBesideOthers_IsUndecidedUnlessDenied()
    {
        Workload selecting = Selecting("root/coming");

        // The policy on its way may be the ALLOW that matches, so that "none allowed" is no answer yet; a DENY that matches is one.
        Assert.Equal(PolicyOutcome.PolicyUnknown, Decide(selecting, Connections[0], Policy("allow", PolicyAction.Allow, Rule(Namespaces("x")))).Outcome);
        Assert.Equal(PolicyOutcome.PolicyUnknown, Decide(selecting, Connections[0], Policy("allow", PolicyAction.Allow, new PolicyRule([]))).Outcome);
        Assert.Equal(PolicyOutcome.ExplicitlyDenied, Decide(selecting, Connections[0], Policy("deny", PolicyAction.Deny, new PolicyRule([]))).Outcome);
    }

    [Theory]
    [InlineData(MatchKinds.SourceIps)]
    [InlineData(MatchKinds.DestinationIps)]
    [InlineData(MatchKinds.DestinationPorts)]
    [InlineData(MatchKinds.Namespaces)]
    [InlineData(MatchKinds.Principals)]
    [InlineData(MatchKinds.ServiceAccounts)]
    public void Evaluate_UnreadableEntry_NeverWidensAnAllowNorLosesADeny(MatchKinds kind)
    {
        // Upstream drops the entry: the ALLOW becomes "any source on 8080" and the DENY on nothing but it never matches (control-path W-2).
        var onlyUnreadable = new PolicyMatch { Unreadable = kind };
        var withPort = new PolicyMatch { Unreadable = kind, DestinationPorts = [8080] };
        var withOtherPort = new PolicyMatch { Unreadable = kind, DestinationPorts = [1] };

        Assert.False(Decide(Connections[1], Policy("allow", PolicyAction.Allow, Rule(onlyUnreadable))).Allowed);
        Assert.False(Decide(Connections[1], Policy("allow", PolicyAction.Allow, Rule(withPort))).Allowed);
        Assert.False(Decide(Connections[1], Policy("deny", PolicyAction.Deny, Rule(onlyUnreadable))).Allowed);
        Assert.False(Decide(Connections[1], Policy("deny", PolicyAction.Deny, Rule(withPort))).Allowed);
        // The kinds that could be read still count, so a DENY does not deny everything.
        Assert.Equal(kind != MatchKinds.DestinationPorts, Decide(Connections[1], Policy("deny", PolicyAction.Deny, Rule(withOtherPort))).Allowed);
        // The rest of the policy works as before.
        Assert.True(Decide(Connections[1], Policy("allow", PolicyAction.Allow, Rule(onlyUnreadable, Namespaces("namespace")))).Allowed);
    }

    [Fact]
    public void Evaluate_PortLevelPeerAuthentication_KeepsThePortOpen()
    {
        // As the control plane writes STRICT with port 8080 PERMISSIVE (control-path 6.6).
        Policy converted = Policy(
            "converted_peer_authentication_x", PolicyAction.Deny,
            new PolicyRule([Clause(new PolicyMatch { NotPrincipals = [StringMatch.Presence] }), Clause(new PolicyMatch { NotDestinationPorts = [8080] })]));

        Assert.True(Decide(Connections[0], converted).Allowed);
        Assert.False(Decide(Connections[0] with { Destination = At("127.0.0.2:9090") }, converted).Allowed);
        Assert.True(Decide(Connections[1] with { Destination = At("127.0.0.2:9090") }, converted).Allowed);
    }

    [Fact]
    public void Evaluate_ManyPrefixes_MatchLikeAFew()
    {
        Cidr[] many = [.. Enumerable.Range(0, 200).Select(static i => Cidr($"10.{i}.0.0/16")), Cidr("127.0.0.0/30"), Cidr("fd00::/8")];

        Assert.False(Decide(Connections[0], Policy("deny", PolicyAction.Deny, Rule(new PolicyMatch { DestinationIps = many.ToValueArray() }))).Allowed);
        Assert.True(Decide(Connections[2], Policy("deny", PolicyAction.Deny, Rule(new PolicyMatch { DestinationIps = many.ToValueArray() }))).Allowed);
    }

    internal static Cidr Cidr(string text) => Model.Cidr.TryParse(text, out Cidr? cidr) ? cidr : throw new FormatException(text);

    internal static Policy Policy(string name, PolicyAction action, params PolicyRule[] rules) =>
        new() { Name = name, Namespace = "default", Scope = PolicyScope.Namespace, Action = action, Rules = rules.ToValueArray() };

    internal static PolicyRule Rule(params PolicyMatch[] matches) => new([Clause(matches)]);

    internal static PolicyClause Clause(params PolicyMatch[] matches) => new(matches.ToValueArray());

    private static PolicyMatch Namespaces(string @namespace) => new() { Namespaces = [StringMatch.Exact(@namespace)] };

    private static Workload Selecting(string policy) => Destination.With(traits => traits with { AuthorizationPolicies = [policy] });

    private static (bool Allowed, string Reason) Result(PolicyDecision decision) => (decision.Allowed, decision.Reason);

    private static PolicyDecision Decide(MeshStore store, Workload destination) =>
        PolicyEvaluator.Evaluate(store.Current, destination, Connections[0], PolicySettings.Default);

    private static PolicyDecision Decide(PolicyConnection connection, params Policy[] policies) => Decide(Destination, connection, policies);

    private static PolicyDecision Decide(Workload destination, PolicyConnection connection, params Policy[] policies) =>
        PolicyEvaluator.Evaluate(Store([destination, .. policies]).Current, destination, connection, PolicySettings.Default);
}
