using System.Buffers.Binary;
using System.Security.Cryptography;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;

namespace Ztunnel.Tls.Tests.Records;

/// <summary>A session over known secrets, without a handshake, and its peer as an independent writer of records: .NET's AesGcm, and HKDF spelled out.</summary>
internal sealed class RecordForge : IDisposable
{
    private readonly CipherSuite _suite;
    private byte[] _secret;
    private AesGcm _cipher = null!;
    private byte[] _iv = [];
    private ulong _sequence;

    private RecordForge(CipherSuite suite, byte[] secret, TlsSession reader)
    {
        _suite = suite;
        _secret = secret;
        Reader = reader;
        Rekey();
    }

    /// <summary>Opens what the session under test writes.</summary>
    internal TlsSession Reader { get; }

    /// <summary>A session in the given role and the forge of its peer's records.</summary>
    internal static (TlsSession Session, RecordForge Peer) Create(TlsRole role = TlsRole.Server, bool aes256 = true, ulong updateAfterRecords = ulong.MaxValue)
    {
        CipherSuite suite = aes256 ? CipherSuite.Aes256GcmSha384 : CipherSuite.Aes128GcmSha256;
        byte[] client = RandomNumberGenerator.GetBytes(suite.SecretBytes);
        byte[] server = RandomNumberGenerator.GetBytes(suite.SecretBytes);
        TlsSession reader = Session(role == TlsRole.Server ? TlsRole.Client : TlsRole.Server, suite, client, server);
        return (Session(role, suite, client, server, updateAfterRecords), new RecordForge(suite, role == TlsRole.Server ? client : server, reader));
    }

    /// <summary>Two sessions that belong together.</summary>
    internal static (TlsSession Client, TlsSession Server) CreatePair(bool aes256 = true, ulong updateAfterRecords = ulong.MaxValue)
    {
        CipherSuite suite = aes256 ? CipherSuite.Aes256GcmSha384 : CipherSuite.Aes128GcmSha256;
        byte[] client = RandomNumberGenerator.GetBytes(suite.SecretBytes);
        byte[] server = RandomNumberGenerator.GetBytes(suite.SecretBytes);
        return (Session(TlsRole.Client, suite, client, server, updateAfterRecords), Session(TlsRole.Server, suite, client, server, updateAfterRecords));
    }

    internal static TlsSession Session(TlsRole role, CipherSuite suite, byte[] client, byte[] server, ulong updateAfterRecords = ulong.MaxValue)
    {
        using var secrets = new TrafficSecrets();
        secrets.Read(System.Text.Encoding.ASCII.GetBytes($"CLIENT_TRAFFIC_SECRET_0 00 {Convert.ToHexStringLower(client)}"));
        secrets.Read(System.Text.Encoding.ASCII.GetBytes($"SERVER_TRAFFIC_SECRET_0 00 {Convert.ToHexStringLower(server)}"));
        return new TlsSession(role, suite, secrets, new([], [], 0), "h2", "x25519", updateAfterRecords);
    }

    /// <summary>A record with this inside: content, type and padding, whatever they are.</summary>
    internal byte[] Record(ReadOnlySpan<byte> content, ContentType type, int paddingBytes = 0)
    {
        byte[] inner = [.. content, (byte)type, .. new byte[paddingBytes]];
        return Protect(inner);
    }

    internal byte[] Data(ReadOnlySpan<byte> content, int paddingBytes = 0) => Record(content, ContentType.ApplicationData, paddingBytes);

    /// <summary>A KeyUpdate; what comes next is under the new keys.</summary>
    internal byte[] KeyUpdate(bool requested) => KeyUpdate([24, 0, 0, 1, requested ? (byte)1 : (byte)0]);

    /// <summary>The last piece of one.</summary>
    internal byte[] KeyUpdate(ReadOnlySpan<byte> piece)
    {
        byte[] record = Record(piece, ContentType.Handshake);
        _secret = Expand("traffic upd", _suite.SecretBytes);
        Rekey();
        return record;
    }

    /// <param name="inner">Content, type and padding.</param>
    /// <param name="version">legacy_record_version.</param>
    internal byte[] Protect(byte[] inner, ushort version = 0x0303)
    {
        byte[] record = new byte[5 + inner.Length + 16];
        record[0] = 23;
        BinaryPrimitives.WriteUInt16BigEndian(record.AsSpan(1), version);
        BinaryPrimitives.WriteUInt16BigEndian(record.AsSpan(3), (ushort)(inner.Length + 16));
        byte[] nonce = [.. _iv];
        for (int i = 0; i < 8; i++) nonce[4 + i] ^= (byte)(_sequence >> (56 - (8 * i)));
        _cipher.Encrypt(nonce, inner, record.AsSpan(5, inner.Length), record.AsSpan(5 + inner.Length), record.AsSpan(0, 5));
        _sequence++;
        return record;
    }

    public void Dispose()
    {
        _cipher.Dispose();
        Reader.Dispose();
    }

    private void Rekey()
    {
        _cipher?.Dispose();
        _cipher = new AesGcm(Expand("key", _suite.KeyBytes), 16);
        _iv = Expand("iv", 12);
        _sequence = 0;
    }

    private byte[] Expand(string label, int length)
    {
        byte[] full = System.Text.Encoding.ASCII.GetBytes("tls13 " + label);
        return HKDF.Expand(_suite.Hash, _secret, length, [(byte)(length >> 8), (byte)length, (byte)full.Length, .. full, 0]);
    }
}
