namespace Ztunnel.Mesh.Authorization;

/// <summary>What a reference to a policy that is not known means.</summary>
public enum UnknownPolicyHandling : byte
{
    /// <summary>The connection is not allowed until the policy is known.</summary>
    FailClosed,

    /// <summary>As if it were not referred to.</summary>
    Skip,
}

/// <summary>How authorization decides where the policies do not.</summary>
public sealed record PolicySettings
{
    public static readonly PolicySettings Default = new();

    public UnknownPolicyHandling UnknownPolicies { get; init; } = UnknownPolicyHandling.FailClosed;
}
