using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Collections;

namespace Ztunnel.Mesh.Model;

/// <summary>Which workloads a policy applies to.</summary>
public enum PolicyScope : byte
{
    Global,
    Namespace,

    /// <summary>Those that list its key.</summary>
    WorkloadSelector,
}

public enum PolicyAction : byte
{
    Allow,
    Deny,
}

/// <summary>An authorization policy (control-path 4.3): it matches when any of its rules does; without rules it never matches.</summary>
public sealed record Policy
{
    private CompiledPolicy? _compiled;   // built once, by whoever needs it first; two threads may build it twice, to the same value

    public required string Name { get; init; }

    public required string Namespace { get; init; }

    public PolicyScope Scope { get; init; }

    public PolicyAction Action { get; init; }

    /// <summary>Reported, not enforced.</summary>
    public bool DryRun { get; init; }

    public ValueArray<PolicyRule> Rules { get; init; }

    /// <summary><c>namespace/name</c>, as workloads refer to it and as error texts name it.</summary>
    public string Key => _compiled is { } compiled && ReferenceEquals(compiled.Policy, this) ? compiled.Key : $"{Namespace}/{Name}";

    internal CompiledPolicy Compiled
    {
        get
        {
            CompiledPolicy? compiled = _compiled;
            if (compiled is null || !ReferenceEquals(compiled.Policy, this)) _compiled = compiled = new CompiledPolicy(this);   // a `with` copies the field, too
            return compiled;
        }
    }

    public bool Equals(Policy? other) =>
        ReferenceEquals(this, other)
        || (other is not null && Name == other.Name && Namespace == other.Namespace && Scope == other.Scope && Action == other.Action
            && DryRun == other.DryRun && Rules == other.Rules);

    public override int GetHashCode() => HashCode.Combine(Namespace, Name);
}

/// <summary>Matches when all its clauses do; without clauses, always.</summary>
public sealed record PolicyRule(ValueArray<PolicyClause> Clauses);

/// <summary>Matches when any of its matches does; without matches, always.</summary>
public sealed record PolicyClause(ValueArray<PolicyMatch> Matches);

/// <summary>The kinds of condition of a <see cref="PolicyMatch"/>.</summary>
[Flags]
public enum MatchKinds : byte
{
    None = 0,
    Namespaces = 1,
    Principals = 2,
    ServiceAccounts = 4,
    SourceIps = 8,
    DestinationIps = 16,
    DestinationPorts = 32,
}

/// <summary>
/// Conditions that must all hold. Of each kind: one of the positive entries, if there are any, and none of the negative ones. Without any condition it never matches.
/// </summary>
public sealed record PolicyMatch
{
    public ValueArray<StringMatch> Namespaces { get; init; }

    public ValueArray<StringMatch> NotNamespaces { get; init; }

    public ValueArray<StringMatch> Principals { get; init; }

    public ValueArray<StringMatch> NotPrincipals { get; init; }

    public ValueArray<ServiceAccountMatch> ServiceAccounts { get; init; }

    public ValueArray<ServiceAccountMatch> NotServiceAccounts { get; init; }

    public ValueArray<Cidr> SourceIps { get; init; }

    public ValueArray<Cidr> NotSourceIps { get; init; }

    public ValueArray<Cidr> DestinationIps { get; init; }

    public ValueArray<Cidr> NotDestinationIps { get; init; }

    public ValueArray<ushort> DestinationPorts { get; init; }

    public ValueArray<ushort> NotDestinationPorts { get; init; }

    /// <summary>
    /// Kinds in which an entry, positive or negative, could not be understood (a prefix of 40 bits, a port of 70000). They fail closed: in an ALLOW the match never
    /// matches, in a DENY the kind always does (control-path W-2). The entries that were understood stay in the lists.
    /// </summary>
    public MatchKinds Unreadable { get; init; }

    public bool IsEmpty =>
        Unreadable == MatchKinds.None
        && Namespaces.IsEmpty && NotNamespaces.IsEmpty && Principals.IsEmpty && NotPrincipals.IsEmpty && ServiceAccounts.IsEmpty && NotServiceAccounts.IsEmpty
        && SourceIps.IsEmpty && NotSourceIps.IsEmpty && DestinationIps.IsEmpty && NotDestinationIps.IsEmpty
        && DestinationPorts.IsEmpty && NotDestinationPorts.IsEmpty;
}

/// <summary>Namespace and service account, in any trust domain.</summary>
public sealed record ServiceAccountMatch(string Namespace, string ServiceAccount);

public enum StringMatchKind : byte
{
    Exact,
    Prefix,
    Suffix,

    /// <summary>Anything but the empty string.</summary>
    Presence,
}

/// <summary>A case-sensitive comparison of one string.</summary>
public sealed record StringMatch(StringMatchKind Kind, string Value)
{
    public static readonly StringMatch Presence = new(StringMatchKind.Presence, "");

    public static StringMatch Exact(string value) => new(StringMatchKind.Exact, value);

    public static StringMatch Prefix(string value) => new(StringMatchKind.Prefix, value);

    public static StringMatch Suffix(string value) => new(StringMatchKind.Suffix, value);

    public bool Matches(ReadOnlySpan<char> text) => Kind switch
    {
        StringMatchKind.Exact => text.SequenceEqual(Value),
        StringMatchKind.Prefix => text.StartsWith(Value, StringComparison.Ordinal),
        StringMatchKind.Suffix => text.EndsWith(Value, StringComparison.Ordinal),
        StringMatchKind.Presence => !text.IsEmpty,
        _ => throw new InvalidOperationException($"unknown kind of string match {Kind}"),
    };
}
