using System.Collections.Immutable;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Tls.Handshake;

/// <summary>What one verification of a peer's chain found.</summary>
/// <param name="Begins">When the last certificate of the path begins to be valid.</param>
/// <param name="Ends">When the first of them no longer is.</param>
/// <param name="Identities">Every SPIFFE identity of the leaf.</param>
/// <param name="Path">DER of the path, leaf first, trust anchor last; empty where nobody checks revocation.</param>
internal sealed record VerifiedLeaf(DateTimeOffset Begins, DateTimeOffset Ends, ImmutableArray<SpiffeId> Identities, ImmutableArray<ReadOnlyMemory<byte>> Path)
{
    /// <summary>Whether the path is as good now as when it was verified.</summary>
    /// <param name="skew">How far in the future a certificate may begin.</param>
    internal bool IsValidAt(DateTimeOffset now, TimeSpan skew) => Begins <= now + skew && now < Ends;
}
