using System.Buffers.Binary;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Tls.Tests.Handshake;

/// <summary>
/// Our ClientHello beside the recorded one (data-path 2.9): the same versions, suites, groups and protocols. Different on purpose: the hybrid group stands first and has a key share where the library has it, as the recorded
/// program only offers it without one; the library's order of signature algorithms.
/// </summary>
public sealed class ClientHelloTests
{
    private const ushort ServerName = 0, SupportedGroups = 10, Alpn = 16, PreSharedKey = 41, EarlyData = 42, SupportedVersions = 43, KeyShare = 51;
    private const ushort X25519 = 29, Secp256r1 = 23, Secp384r1 = 24, X25519MLKEM768 = 0x11EC;
    private const ushort RenegotiationSignal = 0x00FF;

    private readonly byte[] _record;
    private readonly Dictionary<ushort, byte[]> _extensions = [];
    private readonly ushort[] _suites;
    private readonly int _sessionIdBytes;
    private readonly ushort _version;

    public ClientHelloTests()
    {
        using var handshake = TlsHandshake.StartClient(TestMesh.AliceCertificate, [TestMesh.Bob]);
        handshake.Advance([], out _);
        _record = HandshakePair.TakeAll(handshake);

        // Record header (5), handshake header (4), version (2), random (32), session id, suites, compression, extensions: RFC 8446 4.1.2.
        ReadOnlySpan<byte> hello = _record.AsSpan(9);
        _version = BinaryPrimitives.ReadUInt16BigEndian(hello);
        hello = hello[34..];
        _sessionIdBytes = hello[0];
        hello = hello[(1 + _sessionIdBytes)..];
        _suites = Numbers(Take16(ref hello));
        hello = hello[(1 + hello[0])..];
        ReadOnlySpan<byte> extensions = Take16(ref hello);
        while (!extensions.IsEmpty)
        {
            ushort type = BinaryPrimitives.ReadUInt16BigEndian(extensions);
            extensions = extensions[2..];
            _extensions.Add(type, Take16(ref extensions).ToArray());
        }
    }

    [Fact]
    public void Versions_AreThoseOfTls13Only()
    {
        Assert.Equal([0x16, 0x03, 0x01], _record[..3]);
        Assert.Equal(0x0303, _version);
        Assert.Equal(32, _sessionIdBytes);
        Assert.Equal([2, 0x03, 0x04], _extensions[SupportedVersions]);
    }

    /// <summary>The library adds the signal of secure renegotiation, which TLS 1.3 ignores.</summary>
    [Fact]
    public void Suites_Aes256BeforeAes128_AndNothingElse() => Assert.Equal([0x1302, 0x1301], _suites.Where(static suite => suite != RenegotiationSignal));

    [Fact]
    public void Groups_AreTheRecordedOnes()
    {
        ReadOnlySpan<byte> list = _extensions[SupportedGroups];
        ushort[] groups = Numbers(Take16(ref list));

        Assert.Equal([X25519, Secp256r1, Secp384r1], groups.Where(static group => group != X25519MLKEM768));
        if (groups.Contains(X25519MLKEM768))
            Assert.Equal(X25519MLKEM768, groups[0]);
    }

    [Fact]
    public void KeyShares_HaveX25519_AndTheHybridGroupWhereTheLibraryHasIt()
    {
        ReadOnlySpan<byte> groupList = _extensions[SupportedGroups];
        bool hasHybrid = Numbers(Take16(ref groupList)).Contains(X25519MLKEM768);
        ReadOnlySpan<byte> all = _extensions[KeyShare];
        ReadOnlySpan<byte> shares = Take16(ref all);
        List<ushort> groups = [];
        while (!shares.IsEmpty)
        {
            groups.Add(BinaryPrimitives.ReadUInt16BigEndian(shares));
            shares = shares[2..];
            Take16(ref shares);
        }

        Assert.Contains(hasHybrid ? X25519MLKEM768 : X25519, groups);
        Assert.All(groups, static group => Assert.Contains(group, (ushort[])[X25519MLKEM768, X25519]));
    }

    [Fact]
    public void Alpn_IsH2Only_AndThereIsNoServerNameNoTicketAndNoEarlyData()
    {
        Assert.Equal([0, 3, 2, (byte)'h', (byte)'2'], _extensions[Alpn]);
        Assert.DoesNotContain(ServerName, _extensions.Keys);
        Assert.DoesNotContain(PreSharedKey, _extensions.Keys);
        Assert.DoesNotContain(EarlyData, _extensions.Keys);
    }

    private static ReadOnlySpan<byte> Take16(ref ReadOnlySpan<byte> from)
    {
        int length = BinaryPrimitives.ReadUInt16BigEndian(from);
        ReadOnlySpan<byte> taken = from.Slice(2, length);
        from = from[(2 + length)..];
        return taken;
    }

    private static ushort[] Numbers(ReadOnlySpan<byte> bytes)
    {
        ushort[] numbers = new ushort[bytes.Length / 2];
        for (int index = 0; index < numbers.Length; index++)
            numbers[index] = BinaryPrimitives.ReadUInt16BigEndian(bytes[(2 * index)..]);
        return numbers;
    }
}
