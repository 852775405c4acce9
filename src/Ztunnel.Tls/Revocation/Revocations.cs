using Ztunnel.Tls.Certificates;

namespace Ztunnel.Tls.Revocation;

/// <summary>
/// The revocation lists in force, shared by all handshakes and loops. Whoever reads the file publishes here; whoever keeps tunnels open listens and judges their peers again.
/// </summary>
public sealed class Revocations
{
    private volatile InForce _current = new(RevocationSet.Empty, 0);

    /// <summary>Other lists are in force. Raised by whoever published them, after they are.</summary>
    public event Action? Changed;

    public RevocationSet Current => _current.Lists;

    /// <summary>Counts what was published. A peer that was judged under another number has to be judged again.</summary>
    public int Generation => _current.Generation;

    /// <summary>Puts these lists in the place of all before.</summary>
    /// <remarks>One publisher.</remarks>
    public void Publish(RevocationSet lists)
    {
        _current = new InForce(lists, _current.Generation + 1);
        Changed?.Invoke();
    }

    /// <summary>Whether a certificate of the peer's verified path is revoked now.</summary>
    public bool Revokes(PeerIdentity peer) => _current.Lists.Revokes(peer.VerifiedChain);

    private sealed record InForce(RevocationSet Lists, int Generation);
}
