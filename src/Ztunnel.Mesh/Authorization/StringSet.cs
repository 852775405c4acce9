using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Authorization;

/// <summary>String conditions of one kind, any of which suffices: exact values in a set, prefixes and suffixes one by one.</summary>
internal sealed class StringSet
{
    private readonly HashSet<string> _exact;
    private readonly StringMatch[] _others;

    private StringSet(ReadOnlySpan<StringMatch> matches)
    {
        _exact = new HashSet<string>(StringComparer.Ordinal);
        var others = new List<StringMatch>();
        foreach (StringMatch match in matches)
        {
            if (match.Kind == StringMatchKind.Exact) _exact.Add(match.Value);
            else others.Add(match);
        }
        _others = [.. others];
    }

    public static StringSet? Create(ValueArray<StringMatch> matches) => matches.IsEmpty ? null : new StringSet(matches.AsSpan());

    /// <summary>The values when nothing but exact ones is listed; else null.</summary>
    public IReadOnlyCollection<string>? OnlyExact => _others.Length == 0 ? _exact : null;

    public bool Contains(string text) => _exact.Contains(text) || MatchesOther(text);

    private bool MatchesOther(ReadOnlySpan<char> text)
    {
        foreach (StringMatch match in _others)
        {
            if (match.Matches(text)) return true;
        }
        return false;
    }
}

/// <summary>Conditions on the identity's text without its scheme. Exact ones are compared as identities, whose hash is at hand.</summary>
internal sealed class PrincipalSet
{
    private readonly HashSet<SpiffeId> _exact = [];
    private readonly StringMatch[] _others;

    private PrincipalSet(ReadOnlySpan<StringMatch> matches)
    {
        var others = new List<StringMatch>();
        foreach (StringMatch match in matches)
        {
            if (match.Kind != StringMatchKind.Exact) others.Add(match);
            // Text that is no identity (one that brings the scheme along, say) equals no identity's text.
            else if (SpiffeId.TryParse(SpiffeId.Scheme + match.Value, out SpiffeId? identity)) _exact.Add(identity);
        }
        _others = [.. others];
    }

    public static PrincipalSet? Create(ValueArray<StringMatch> matches) => matches.IsEmpty ? null : new PrincipalSet(matches.AsSpan());

    /// <summary>The identities when nothing but exact ones is listed; else null.</summary>
    public IReadOnlyCollection<SpiffeId>? OnlyExact => _others.Length == 0 ? _exact : null;

    public bool Contains(SpiffeId? identity)
    {
        if (identity is null) return false;
        if (_exact.Contains(identity)) return true;
        foreach (StringMatch match in _others)
        {
            if (match.Matches(identity.Principal)) return true;
        }
        return false;
    }
}
