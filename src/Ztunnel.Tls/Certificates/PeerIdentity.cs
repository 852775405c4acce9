using System.Collections.Immutable;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Tls.Certificates;

/// <summary>Who the other side proved to be. Everything here comes from the verified chain, never from what the peer merely sent.</summary>
public sealed class PeerIdentity
{
    private readonly ImmutableArray<SpiffeId> _identities;

    /// <param name="names">The URI names of the leaf.</param>
    /// <param name="expected">Identities that others hold already: the peer's own is one of them where it is equal.</param>
    /// <param name="verifiedChain">What revocation lists are applied to; empty where nobody checks.</param>
    /// <param name="revocationGeneration">Of the lists that the path was judged by.</param>
    internal PeerIdentity(ImmutableArray<string> names, ImmutableArray<SpiffeId> expected, ImmutableArray<ReadOnlyMemory<byte>> verifiedChain, int revocationGeneration)
    {
        RevocationGeneration = revocationGeneration;
        VerifiedChain = verifiedChain;
        _identities = [.. UriNames.Identities(names).Select(identity => expected.FirstOrDefault(identity.Equals, identity))];
    }

    /// <summary>The first URI name that is a SPIFFE identity; null when there is none (a server without identity accepts such clients).</summary>
    public SpiffeId? Identity => _identities.IsEmpty ? null : _identities[0];

    /// <summary>Every SPIFFE identity of the leaf.</summary>
    public ImmutableArray<SpiffeId> Identities => _identities;

    /// <summary>Which lists the path was judged by; see <see cref="Revocation.Revocations.Generation"/>.</summary>
    public int RevocationGeneration { get; }

    /// <summary>DER of the path that was verified, leaf first, trust anchor last; empty where nobody checks revocation (0.7 KiB for each tunnel).</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> VerifiedChain { get; }
}
