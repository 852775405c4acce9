using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Explaining;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Tests.Authorization;

/// <summary>The evaluator agrees with the rules of control-path 6 written down plainly, on policies and connections made at random; a difference is shown with its seed, and as small as it could be made.</summary>
public sealed class PolicyPropertyTests
{
    private const int Meshes = 500;
    private const int ConnectionsPerMesh = 20;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Evaluate_RandomPolicies_AgreesWithThePlainRules(int seed)
    {
        var random = new Random(seed);
        int allowed = 0;
        for (int mesh = 0; mesh < Meshes; mesh++)
        {
            PolicyCase question = RandomPolicies.Case(random);
            MeshSnapshot snapshot = question.Snapshot;
            for (int i = 0; i < ConnectionsPerMesh; i++)
            {
                question = question with { Connection = RandomPolicies.Connection(random) };
                PolicyDecision decision = question.Evaluate(snapshot);
                if (Differs(question, decision))
                    Assert.Fail($"seed {seed}, mesh {mesh}: {Compare(question.Shrink(static smaller => Differs(smaller, smaller.Evaluate())))}");
                if (decision.Allowed) allowed++;
            }

            AssertExplained(question);
        }
        Assert.InRange(allowed, 2_000, 8_000);   // both answers occur often, or the test shows nothing
    }

    private static bool Differs(PolicyCase question, PolicyDecision decision)
    {
        (PolicyOutcome outcome, HashSet<string> deciding, DryRunReport dryRun) = PlainRules.Decide(question.Policies, question.Destination, question.Connection, question.Settings);
        return outcome != decision.Outcome
            || (decision.Policy is null ? deciding.Count > 0 : !deciding.Contains(decision.Policy))
            || dryRun != (decision.DryRun ?? new DryRunReport([], [], WouldNotAllow: false));
    }

    private static string Compare(PolicyCase question)
    {
        PolicyDecision decision = question.Evaluate();
        (PolicyOutcome outcome, HashSet<string> deciding, DryRunReport dryRun) = PlainRules.Decide(question.Policies, question.Destination, question.Connection, question.Settings);
        return $"{decision.Outcome} by {decision.Policy} ({decision.DryRun}), by the plain rules {outcome} by {string.Join(" or ", deciding)} ({dryRun})\n{question}";
    }

    // What `ztunnel explain` says of each policy is what the plain rules say; one that does not match names what is missing, unless it has no rules.
    private static void AssertExplained(PolicyCase question)
    {
        AuthorizationExplanation explained = PolicyExplainer.Explain(question.Snapshot, question.Destination, question.Connection, question.Settings);
        Assert.Equal(question.Evaluate().Outcome, explained.Decision.Outcome);
        foreach (PolicyExplanation policy in explained.Policies)
        {
            Assert.Equal(policy.Policy.Rules.Any(rule => PlainRules.Matches(policy.Policy, rule, question.Connection)), policy.Matches);
            Assert.Equal(!policy.Matches && !policy.Policy.Rules.IsEmpty, policy.Nearest is { Missing.Count: > 0 });
        }
        Assert.Equal(question.Policies.Count(policy => PlainRules.AppliesTo(policy, question.Destination)), explained.Policies.Count);
    }
}
