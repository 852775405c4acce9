using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Ztunnel.Tls.Handshake;

/// <summary>
/// The leaf certificates that one context has verified, so that a peer who comes back with the same one is not verified again: between two nodes it is the same few certificates all day. Shared by all loops.
/// </summary>
/// <remarks>
/// What a verification says of a leaf depends on its bytes, the role it is used in, the trust anchors and the parameters, which are those of the context and die with it, the time, which <see cref="VerifiedLeaf"/>
/// knows, and revocation lists, which are asked each time. That the peer holds the key is proven by every handshake anew, and whom it is taken for is judged anew. Only what verified comes in: strangers cannot fill it.
/// A cold handshake costs a tenth less CPU with it (`src/decisions/0010-verified-leaves.md`).
/// </remarks>
internal sealed class VerifiedLeaves
{
    /// <summary>About 0.5 KiB each, and 0.7 KiB more where revocation is checked.</summary>
    internal const int MaxCount = 1024;

    private readonly ConcurrentDictionary<Key, VerifiedLeaf> _known = new(concurrencyLevel: 1, capacity: 7);

    internal int Count => _known.Count;

    internal VerifiedLeaf? Find(Key key) => _known.GetValueOrDefault(key);

    internal void Remember(Key key, VerifiedLeaf leaf)
    {
        // Those of peers that are gone go with the others; who comes back is verified once more.
        if (_known.Count >= MaxCount)
            _known.Clear();
        _known[key] = leaf;
    }

    /// <summary>One leaf in the role that it was verified for.</summary>
    internal readonly record struct Key(TlsRole VerifiedBy, UInt128 High, UInt128 Low)
    {
        /// <param name="verifier">The role of who verifies: certificates may be for clients or servers only.</param>
        /// <param name="leaf">DER.</param>
        internal static Key Of(TlsRole verifier, ReadOnlySpan<byte> leaf)
        {
            Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(leaf, digest);
            return new Key(verifier, BinaryPrimitives.ReadUInt128BigEndian(digest), BinaryPrimitives.ReadUInt128BigEndian(digest[16..]));
        }
    }
}
