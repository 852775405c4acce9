using System.Collections.Immutable;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Tls.Certificates;

/// <summary>Who the other side proved to be. Everything here comes from the verified chain, never from what the peer merely sent.</summary>
public sealed class PeerIdentity
{
    /// <param name="identities">Those of the leaf.</param>
    /// <param name="verifiedChain">What revocation lists are applied to; empty where nobody checks.</param>
    /// <param name="revocationGeneration">Of the lists that the path was judged by.</param>
    internal PeerIdentity(ImmutableArray<SpiffeId> identities, ImmutableArray<ReadOnlyMemory<byte>> verifiedChain, int revocationGeneration)
    {
        Identities = identities;
        VerifiedChain = verifiedChain;
        RevocationGeneration = revocationGeneration;
    }

    /// <summary>The first URI name that is a SPIFFE identity; null when there is none (a server without identity accepts such clients).</summary>
    public SpiffeId? Identity => Identities.IsEmpty ? null : Identities[0];

    /// <summary>Every SPIFFE identity of the leaf.</summary>
    public ImmutableArray<SpiffeId> Identities { get; }

    /// <summary>Which lists the path was judged by; see <see cref="Revocation.Revocations.Generation"/>.</summary>
    public int RevocationGeneration { get; }

    /// <summary>DER of the path that was verified, leaf first, trust anchor last; empty where nobody checks revocation (0.7 KiB for each tunnel).</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> VerifiedChain { get; }
}
