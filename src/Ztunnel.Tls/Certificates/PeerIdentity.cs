using System.Collections.Immutable;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Tls.Certificates;

/// <summary>Who the other side proved to be. Everything here comes from the verified chain, never from what the peer merely sent.</summary>
public sealed class PeerIdentity
{
    private readonly ImmutableArray<SpiffeId> _identities;

    internal PeerIdentity(ImmutableArray<string> names, ImmutableArray<ReadOnlyMemory<byte>> verifiedChain, int revocationGeneration)
    {
        RevocationGeneration = revocationGeneration;
        UriNames = names;
        VerifiedChain = verifiedChain;
        _identities = Certificates.UriNames.Identities(names);
    }

    /// <summary>The first URI name that is a SPIFFE identity; null when there is none (a server without identity accepts such clients).</summary>
    public SpiffeId? Identity => _identities.IsEmpty ? null : _identities[0];

    /// <summary>Every SPIFFE identity of the leaf.</summary>
    public ImmutableArray<SpiffeId> Identities => _identities;

    /// <summary>Every URI name of the leaf, also those that are no SPIFFE identity.</summary>
    public ImmutableArray<string> UriNames { get; }

    /// <summary>Which lists the path was judged by; see <see cref="Revocation.Revocations.Generation"/>.</summary>
    public int RevocationGeneration { get; }

    /// <summary>DER of the path that was verified, leaf first, trust anchor last.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> VerifiedChain { get; }
}
