using System.Diagnostics.CodeAnalysis;

namespace Ztunnel.Mesh.Identity;

/// <summary>Who a workload is: <c>spiffe://trust-domain/ns/namespace/sa/service-account</c> (control-path 7.1). Equality is on the three parts.</summary>
public sealed record SpiffeId(string TrustDomain, string Namespace, string ServiceAccount)
{
    private const string Scheme = "spiffe://";

    /// <summary>Reads the one form there is. Parts may be empty and may hold dots; the scheme is lower case.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out SpiffeId? identity)
    {
        identity = null;
        if (text is null || !text.StartsWith(Scheme, StringComparison.Ordinal)) return false;

        string[] parts = text[Scheme.Length..].Split('/');
        if (parts.Length != 5 || parts[1] != "ns" || parts[3] != "sa") return false;

        identity = new SpiffeId(parts[0], parts[2], parts[4]);
        return true;
    }

    /// <summary>Reads an identity that must be one.</summary>
    /// <exception cref="FormatException">The text is anything else; the message names it.</exception>
    public static SpiffeId Parse(string text) =>
        TryParse(text, out SpiffeId? identity) ? identity : throw new FormatException($"invalid spiffe identity: {text}");

    public override string ToString() => $"{Scheme}{TrustDomain}/ns/{Namespace}/sa/{ServiceAccount}";
}
