using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Tls.Records;

/// <summary>
/// The TLS 1.3 record layer of one established connection (RFC 8446 5), both directions, without I/O and without the library's SSL. Records are sealed and opened where they lie.
/// Its whole state is the two <see cref="RecordProtection"/> and a few flags. Used by one thread at a time; sealing and opening allocate nothing.
/// </summary>
public sealed partial class TlsSession : IDisposable
{
    /// <summary>Room in front of the plaintext.</summary>
    public const int HeaderBytes = 5;

    /// <summary>Room behind it: content type and tag.</summary>
    public const int TrailerBytes = 1 + RecordProtection.TagBytes;

    public const int MaxPlaintextBytes = 1 << 14;

    /// <summary>The largest record a peer may send: RFC 8446 5.2 allows 256 bytes of expansion.</summary>
    public const int MaxRecordBytes = HeaderBytes + MaxPlaintextBytes + 256;

    /// <summary>Room that <see cref="WriteControl"/> needs to write everything it may have: a KeyUpdate (27 bytes) and an alert (24).</summary>
    public const int ControlBytes = 64;

    // RFC 8446 5.5: 2^24.5 full-size records for each AES-GCM key. Keys change well before, so that records on their way to WriteControl never come near it.
    private const ulong DefaultUpdateAfterRecords = 1 << 24;
    private const ulong MaxRecordsPerKey = 23_726_566;

    private readonly TlsRole _role;
    private readonly CipherSuite _suite;
    private readonly RecordProtection _read;
    private readonly RecordProtection _write;

    internal TlsSession(TlsRole role, CipherSuite suite, TrafficSecrets secrets, PeerIdentity peer, string? alpn, string group, ulong updateAfterRecords = DefaultUpdateAfterRecords)
    {
        _role = role;
        _suite = suite;
        _postHandshake = new PostHandshakeReader(role);
        _updateAfterRecords = updateAfterRecords;
        Peer = peer;
        Alpn = alpn;
        Group = group;
        _read = new RecordProtection(suite, role == TlsRole.Client ? secrets.Server : secrets.Client, seals: false);
        _write = new RecordProtection(suite, role == TlsRole.Client ? secrets.Client : secrets.Server, seals: true);
    }

    public TlsRole Role => _role;

    /// <summary>Who the handshake proved the peer to be.</summary>
    public PeerIdentity Peer { get; }

    /// <summary>"h2", or null when the peer negotiates no protocol.</summary>
    public string? Alpn { get; }

    public string CipherSuite => _suite.Name;

    /// <summary>The key-exchange group, as the library names it.</summary>
    public string Group { get; }

    /// <summary>Set once the session is over because of an error.</summary>
    public TlsFailure? Failure { get; private set; }

    /// <summary>
    /// Gives back what the sessions of the calling thread have expanded from their keys: at rest, since it lies between the remains of handshakes and keeps their pages (1.3 to 1.8 KiB for each of a thousand tunnels).
    /// The next record of a session costs 1 µs more.
    /// </summary>
    public static void ReleaseExpandedKeys() => CipherSlots.OfThisThread.Release();

    public void Dispose()
    {
        _read.Dispose();
        _write.Dispose();
    }
}
