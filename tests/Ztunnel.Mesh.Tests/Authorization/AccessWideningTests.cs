using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Tests.Authorization;

/// <summary>No input widens access: whatever a control plane adds, damages or leaves out, a connection that was refused is not let in by it unless an ALLOW that was understood says so. On cases at random; a counterexample is shown with its seed, and small.</summary>
public sealed class AccessWideningTests
{
    private const int CasesPerSeed = 1_500;

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    [InlineData(14)]
    public void Deny_Added_NeverAllowsMore(int seed) => Check(seed, static (question, random) =>
    {
        Policy added = RandomPolicies.Policy(random, "added") with { Action = PolicyAction.Deny, DryRun = false };
        bool isListed = random.Next(2) == 0;
        return before => (before.Evaluate(), before.With(added, isListed).Evaluate()) is ({ Allowed: false }, { Allowed: true });
    });

    [Theory]
    [InlineData(21)]
    [InlineData(22)]
    [InlineData(23)]
    [InlineData(24)]
    public void Allow_AddedWithAnUnreadableEntryInEveryMatch_NeverAllowsMore(int seed) => Check(seed, static (question, random) =>
    {
        Policy added = RandomPolicies.Policy(random, "added") with
        {
            Action = PolicyAction.Allow,
            DryRun = false,
            Rules = [new PolicyRule([new PolicyClause([RandomPolicies.Match(random) with { Unreadable = Kind(random) }, RandomPolicies.Match(random) with { Unreadable = Kind(random) }])])],
        };
        bool isListed = random.Next(2) == 0;
        return before => (before.Evaluate(), before.With(added, isListed).Evaluate()) is ({ Allowed: false }, { Allowed: true });
    });

    /// <summary>Whatever its action: an ALLOW matches less then, a DENY more (control-path W-2).</summary>
    [Theory]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(33)]
    [InlineData(34)]
    public void Entry_ThatBecomesUnreadable_NeverAllowsMore(int seed) => Check(seed, static (question, random) =>
    {
        MatchKinds kind = Kind(random);
        int index = question.Policies.Length == 0 ? 0 : random.Next(question.Policies.Length);
        return before => index < before.Policies.Length && (before.Evaluate(), before.Replacing(index, Damage(before.Policies[index], kind)).Evaluate()) is ({ Allowed: false }, { Allowed: true });
    });

    [Theory]
    [InlineData(41)]
    [InlineData(42)]
    [InlineData(43)]
    [InlineData(44)]
    public void Reference_ToAnUnknownPolicy_IsNeverAllowed(int seed) => Check(seed, static (_, _) => static before =>
    {
        PolicyCase after = before with { Destination = before.Listing([.. before.Destination.AuthorizationPolicies, "elsewhere/missing"]), Settings = new PolicySettings { UnknownPolicies = UnknownPolicyHandling.FailClosed } };
        return after.Evaluate().Outcome is not (PolicyOutcome.PolicyUnknown or PolicyOutcome.ExplicitlyDenied);
    });

    [Theory]
    [InlineData(51)]
    [InlineData(52)]
    [InlineData(53)]
    [InlineData(54)]
    public void DryRunPolicy_Added_ChangesNoOutcome(int seed) => Check(seed, static (_, random) =>
    {
        Policy added = RandomPolicies.Policy(random, "added") with { DryRun = true };
        bool isListed = random.Next(2) == 0;
        return before =>
        {
            (PolicyDecision without, PolicyDecision with) = (before.Evaluate(), before.With(added, isListed).Evaluate());
            return without.Outcome != with.Outcome || without.Policy != with.Policy;
        };
    });

    [Theory]
    [InlineData(61)]
    [InlineData(62)]
    public void Policy_OfAnotherNamespaceOrUnlisted_ChangesNoOutcome(int seed) => Check(seed, static (_, random) =>
    {
        Policy added = RandomPolicies.Policy(random, "added") with { Namespace = "far", Scope = random.Next(2) == 0 ? PolicyScope.Namespace : PolicyScope.WorkloadSelector };
        return before => before.Evaluate().Outcome != before.With(added).Evaluate().Outcome;
    });

    [Theory]
    [InlineData(71)]
    [InlineData(72)]
    public void Policies_InAnotherOrder_DecideTheSame(int seed) => Check(seed, static (_, _) => static before =>
        before.Evaluate().Outcome != (before with { Policies = [.. before.Policies.Reverse()] }).Evaluate().Outcome);

    /// <summary>Looks for a case in which the property is violated, and shows it as small as possible.</summary>
    private static void Check(int seed, Func<PolicyCase, Random, Func<PolicyCase, bool>> choose)
    {
        var random = new Random(seed);
        int refused = 0;
        for (int number = 0; number < CasesPerSeed; number++)
        {
            PolicyCase question = RandomPolicies.Case(random);
            Func<PolicyCase, bool> violates = choose(question, random);
            if (violates(question))
                Assert.Fail($"seed {seed}, case {number}:\n{question.Shrink(violates)}");
            if (!question.Evaluate().Allowed) refused++;
        }

        Assert.InRange(refused, CasesPerSeed / 5, CasesPerSeed * 4 / 5);   // both answers occur often, or nothing is shown
    }

    private static MatchKinds Kind(Random random) => (MatchKinds)(1 << random.Next(6));

    private static Policy Damage(Policy policy, MatchKinds kind) => policy with
    {
        Rules = [.. policy.Rules.Select(rule => new PolicyRule([.. rule.Clauses.Select(clause => new PolicyClause([.. clause.Matches.Select(match => match.IsEmpty ? match : match with { Unreadable = match.Unreadable | kind })]))]))],
    };
}
