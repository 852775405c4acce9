using System.Collections.Immutable;
using System.Net;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// What two connections must have in common to share a tunnel (data-path 5.2): the peer's address and who it may be. The source is the pod, since every pod has pools of its own.
/// </summary>
internal readonly struct TunnelKey : IEquatable<TunnelKey>
{
    private readonly int _hash;

    public TunnelKey(IPEndPoint address, ImmutableArray<SpiffeId> expected)
    {
        Address = address;
        Expected = expected;
        var hash = new HashCode();
        hash.Add(address);
        foreach (SpiffeId identity in expected)
            hash.Add(identity);
        _hash = hash.ToHashCode();
    }

    public IPEndPoint Address { get; }

    /// <summary>The identities of which the peer must have one, in order.</summary>
    public ImmutableArray<SpiffeId> Expected { get; }

    // Compared in full: a hash alone could hand a connection a tunnel to somebody else.
    public bool Equals(TunnelKey other) =>
        _hash == other._hash && Address.Equals(other.Address) && Expected.AsSpan().SequenceEqual(other.Expected.AsSpan());

    public override bool Equals(object? obj) => obj is TunnelKey other && Equals(other);

    public override int GetHashCode() => _hash;
}
