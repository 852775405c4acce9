using Ztunnel.Mesh.Collections;

namespace Ztunnel.Mesh.Authorization;

/// <summary>How an authorization came out.</summary>
public enum PolicyOutcome : byte
{
    Allowed,

    /// <summary>A DENY policy matched. No policy still to come can change that.</summary>
    ExplicitlyDenied,

    /// <summary>There are ALLOW policies, and none matched.</summary>
    NotAllowed,

    /// <summary>
    /// Not denied by what is known, but the workload refers to policies that are not: they may be on their way, since the control plane sends the reference first. A new
    /// connection may wait for them, a live one may stay, for a short time; after that it is a refusal.
    /// </summary>
    PolicyUnknown,
}

/// <summary>The result of <see cref="PolicyEvaluator.Evaluate"/>.</summary>
public sealed record PolicyDecision(PolicyOutcome Outcome)
{
    internal static readonly PolicyDecision AllowedWithoutPolicies = new(PolicyOutcome.Allowed);

    public bool Allowed => Outcome == PolicyOutcome.Allowed;

    /// <summary>The policy that denied, or the one that allowed; null when none did.</summary>
    public string? Policy { get; init; }

    /// <summary>Keys the workload refers to and nobody has sent, whatever the settings make of it.</summary>
    public ValueArray<string> UnknownPolicies { get; init; }

    public DryRunReport? DryRun { get; init; }

    /// <summary>Why the connection is refused; empty when it is not.</summary>
    public string Reason => Outcome switch
    {
        PolicyOutcome.Allowed => "",
        PolicyOutcome.ExplicitlyDenied => $"explicitly denied by: {Policy}",
        PolicyOutcome.NotAllowed => "allow policies exist, but none allowed",
        PolicyOutcome.PolicyUnknown => $"policy is not known: {string.Join<string>(", ", UnknownPolicies)}",
        _ => throw new InvalidOperationException($"unknown outcome {Outcome}"),
    };
}

/// <summary>What policies in dry run would have done; they decide nothing.</summary>
/// <param name="WouldDeny">DENY policies that match.</param>
/// <param name="WouldAllow">ALLOW policies that match; not looked at when an enforced policy denies.</param>
/// <param name="WouldNotAllow">There are ALLOW policies in dry run and none matches.</param>
public sealed record DryRunReport(ValueArray<string> WouldDeny, ValueArray<string> WouldAllow, bool WouldNotAllow);
