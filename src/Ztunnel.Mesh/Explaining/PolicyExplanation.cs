using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Explaining;

/// <summary>A condition of a policy that a connection does not meet.</summary>
/// <param name="Field">As policies name it: <c>source.principals</c>, <c>destination.notPorts</c>.</param>
/// <param name="Expected">What is asked for.</param>
/// <param name="Found">What the connection has.</param>
public sealed record FailedCondition(string Field, string Expected, string Found);

/// <summary>The rule that comes closest to matching.</summary>
/// <param name="Number">Counted from 1, in the order of the policy.</param>
/// <param name="Missing">What would have to be different.</param>
public sealed record NearestRule(int Number, IReadOnlyList<FailedCondition> Missing);

/// <summary>What one policy says of a connection.</summary>
/// <param name="Policy">The policy.</param>
/// <param name="Matches">One of its rules matches.</param>
/// <param name="Nearest">When none does, the one with the fewest conditions missing; null for a policy without rules.</param>
public sealed record PolicyExplanation(Policy Policy, bool Matches, NearestRule? Nearest);

/// <summary>What all policies of a workload together say of a connection.</summary>
/// <param name="Decision">The verdict of the evaluator itself.</param>
/// <param name="Policies">Those that apply, in the order they are asked: deny before allow.</param>
public sealed record AuthorizationExplanation(PolicyDecision Decision, IReadOnlyList<PolicyExplanation> Policies);
