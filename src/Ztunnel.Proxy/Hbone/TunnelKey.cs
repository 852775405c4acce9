using System.Collections.Immutable;
using System.Net;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// What two connections must have in common to share a tunnel (data-path 5.2): who asks, the peer's address, and who it may be. The source address is the pod's, since every pod has pools of its own.
/// </summary>
internal readonly struct TunnelKey : IEquatable<TunnelKey>
{
    private readonly int _hash;

    public TunnelKey(SpiffeId source, IPEndPoint address, ImmutableArray<SpiffeId> expected)
    {
        Source = source;
        Address = address;
        Expected = expected;
        var hash = new HashCode();
        hash.Add(source);
        hash.Add(address);
        foreach (SpiffeId identity in expected)
            hash.Add(identity);
        _hash = hash.ToHashCode();
    }

    /// <summary>Whose certificate the peer sees. A pod's identity may change while it runs.</summary>
    public SpiffeId Source { get; }

    public IPEndPoint Address { get; }

    /// <summary>The identities of which the peer must have one, in order.</summary>
    public ImmutableArray<SpiffeId> Expected { get; }

    // Compared in full: a hash alone could hand a connection a tunnel to somebody else.
    public bool Equals(TunnelKey other) =>
        _hash == other._hash && Source.Equals(other.Source) && Address.Equals(other.Address) && Expected.AsSpan().SequenceEqual(other.Expected.AsSpan());

    public override bool Equals(object? obj) => obj is TunnelKey other && Equals(other);

    public override int GetHashCode() => _hash;
}
