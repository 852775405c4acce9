using System.Diagnostics.CodeAnalysis;

namespace Ztunnel.Mesh.Identity;

/// <summary>Who a workload is: <c>spiffe://trust-domain/ns/namespace/sa/service-account</c> (control-path 7.1). Equality is on the three parts.</summary>
/// <remarks>
/// One instance is shared by every workload of a service account. The hash is computed once, since identities key the tunnel pool and the certificate store;
/// the text is built when first asked for and kept, since most identities of a large mesh are never seen by this node.
/// </remarks>
public sealed class SpiffeId : IEquatable<SpiffeId>
{
    public const string Scheme = "spiffe://";

    private readonly int _hash;
    private string? _text;   // written by any thread; two threads may build it twice, to the same value

    public SpiffeId(string trustDomain, string @namespace, string serviceAccount)
    {
        ArgumentNullException.ThrowIfNull(trustDomain);
        ArgumentNullException.ThrowIfNull(@namespace);
        ArgumentNullException.ThrowIfNull(serviceAccount);
        TrustDomain = trustDomain;
        Namespace = @namespace;
        ServiceAccount = serviceAccount;
        _hash = HashCode.Combine(trustDomain, @namespace, serviceAccount);
    }

    public string TrustDomain { get; }

    public string Namespace { get; }

    public string ServiceAccount { get; }

    /// <summary>The whole identity as it stands in a certificate.</summary>
    public string Text => _text ??= $"{Scheme}{TrustDomain}/ns/{Namespace}/sa/{ServiceAccount}";

    /// <summary>The identity as policies write it: without the scheme.</summary>
    public ReadOnlySpan<char> Principal => Text.AsSpan(Scheme.Length);

    /// <summary>Reads the one form there is. Parts may be empty and may hold dots; the scheme is lower case; nothing is unescaped.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out SpiffeId? identity)
    {
        identity = null;
        if (text is null || !text.StartsWith(Scheme, StringComparison.Ordinal)) return false;

        ReadOnlySpan<char> rest = text.AsSpan(Scheme.Length);
        Span<Range> parts = stackalloc Range[6];   // one more than allowed, so that a sixth part shows
        if (rest.Split(parts, '/') != 5 || rest[parts[1]] is not "ns" || rest[parts[3]] is not "sa") return false;

        identity = new SpiffeId(rest[parts[0]].ToString(), rest[parts[2]].ToString(), rest[parts[4]].ToString());
        return true;
    }

    /// <summary>Reads an identity that must be one.</summary>
    /// <exception cref="FormatException">The text is anything else; the message names it.</exception>
    public static SpiffeId Parse(string text) =>
        TryParse(text, out SpiffeId? identity) ? identity : throw new FormatException($"invalid spiffe identity: {text}");

    public bool Equals(SpiffeId? other) =>
        ReferenceEquals(this, other)
        || (other is not null && _hash == other._hash
            && ServiceAccount == other.ServiceAccount && Namespace == other.Namespace && TrustDomain == other.TrustDomain);

    public override bool Equals(object? obj) => Equals(obj as SpiffeId);

    public override int GetHashCode() => _hash;

    public override string ToString() => Text;

    public static bool operator ==(SpiffeId? left, SpiffeId? right) => left is null ? right is null : left.Equals(right);

    public static bool operator !=(SpiffeId? left, SpiffeId? right) => !(left == right);
}
