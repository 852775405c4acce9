using System.Buffers.Binary;
using Ztunnel.Mesh.Identity;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;
using Ztunnel.Tls.Tests.Handshake;

namespace Ztunnel.Tls.Tests.Hostile;

/// <summary>
/// Handshakes through the library with one flight changed, by fixed seeds: each ends in a failure with words and an alert, waits for more, or proves the same peer; none leaves an SSL object behind.
/// </summary>
[Collection(Name)]
public sealed class HandshakeMutationTests
{
    public const string Name = "SSL objects are counted";

    private const int Rounds = 250;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Flight_Changed_FailsOrWaitsOrProvesTheSamePeer(int seed)
    {
        var random = new Random(seed);
        int failures = 0;
        int silent = 0;

        (int made, int left) = SslObjectCount.During(() =>
        {
            for (int round = 0; round < Rounds; round++) failures += RunMutated(random, ref silent) ? 1 : 0;
        });

        Assert.Equal(2 * Rounds, made);
        Assert.Equal(0, left);
        // Most changes are fatal; those in fields that mean nothing, or that only cut, are not.
        Assert.InRange(failures, Rounds / 3, Rounds);
        Assert.InRange(silent, 0, Rounds / 20);
    }

    [Fact]
    public void Handshake_AbandonedAnywhere_LeavesNoObjectBehind()
    {
        (int made, int left) = SslObjectCount.During(static () =>
        {
            for (int flights = 0; flights <= 3; flights++)
            {
                using HandshakePair pair = HandshakePair.Start(TestMesh.AliceCertificate, TestMesh.BobCertificate);
                if (flights > 0) pair.Server.Advance(HandshakePair.TakeAll(pair.Client), out _);
                if (flights > 1) pair.Client.Advance(HandshakePair.TakeAll(pair.Server), out _);
                if (flights <= 2) continue;
                pair.Server.Advance(HandshakePair.TakeAll(pair.Client), out _);
                pair.Client.TakeSession().Dispose();
            }
        });

        Assert.Equal((8, 0), (made, left));
    }

    public static TheoryData<string, TlsAlert> Hellos => new()
    {
        { "compression", TlsAlert.IllegalParameter },
        { "nothing but compression", TlsAlert.DecodeError },
        { "session id of 33 bytes", TlsAlert.DecodeError },
        { "no cipher suite", TlsAlert.IllegalParameter },
        { "only suites that nobody has", TlsAlert.HandshakeFailure },
        { "an extension twice", TlsAlert.IllegalParameter },
        { "extension longer than its list", TlsAlert.DecodeError },
        { "TLS 1.2", TlsAlert.ProtocolVersion },
        { "no key share", TlsAlert.MissingExtension },
        { "no groups", TlsAlert.MissingExtension },
        { "no signature algorithms", TlsAlert.MissingExtension },
        { "bytes behind the extensions", TlsAlert.DecodeError },
        { "another application protocol", TlsAlert.NoApplicationProtocol },
    };

    [Theory]
    [MemberData(nameof(Hellos))]
    public void ClientHello_ThatIsWrong_IsRefusedWithItsAlert(string what, TlsAlert alert)
    {
        using TlsHandshake client = TlsHandshake.StartClient(TestMesh.AliceCertificate, [TestMesh.Bob]);
        using TlsHandshake server = TlsHandshake.StartServer(TestMesh.BobCertificate);
        var hello = HelloParts.Read(HandshakePair.TakeAll(client));
        Change(hello, what);

        Assert.Equal(HandshakeStatus.Failed, server.Advance(hello.Write(), out _));

        Assert.NotNull(server.Failure);
        byte[] answer = HandshakePair.TakeAll(server);
        Assert.Equal([21, 3, 3, 0, 2, 2, (byte)alert], answer);
    }

    /// <summary>A hello that asks for another group is answered with a retry once; a second one that asks again is refused.</summary>
    [Fact]
    public void ClientHello_ThatNeverBringsAKeyShare_IsAskedOnce()
    {
        using TlsHandshake client = TlsHandshake.StartClient(TestMesh.AliceCertificate, [TestMesh.Bob]);
        using TlsHandshake server = TlsHandshake.StartServer(TestMesh.BobCertificate);
        var hello = HelloParts.Read(HandshakePair.TakeAll(client));
        hello.Extensions[hello.IndexOf(HelloParts.KeyShare)] = (HelloParts.KeyShare, [0, 0]);
        byte[] withoutShare = hello.Write();

        Assert.Equal(HandshakeStatus.InProgress, server.Advance(withoutShare, out _));
        Assert.NotEmpty(HandshakePair.TakeAll(server));
        Assert.Equal(HandshakeStatus.Failed, server.Advance(withoutShare, out _));
        Assert.Equal((byte)ContentType.Alert, HandshakePair.TakeAll(server)[0]);
    }

    private static void Change(HelloParts hello, string what)
    {
        switch (what)
        {
            case "compression": hello.Compression = [0, 1]; break;
            case "nothing but compression": hello.Compression = [1]; break;
            case "session id of 33 bytes": hello.SessionId = new byte[33]; break;
            case "no cipher suite": hello.Suites = []; break;
            case "only suites that nobody has": hello.Suites = [0x0a, 0x0a, 0x13, 0x55]; break;
            case "an extension twice": hello.Extensions.Add(hello.Extensions[hello.IndexOf(HelloParts.Groups)]); break;
            case "extension longer than its list": hello.LastExtensionExcess = 5; break;
            case "TLS 1.2": hello.Extensions[hello.IndexOf(HelloParts.Versions)] = (HelloParts.Versions, [2, 3, 3]); break;
            case "no key share": hello.Extensions.RemoveAt(hello.IndexOf(HelloParts.KeyShare)); break;
            case "no groups": hello.Extensions.RemoveAt(hello.IndexOf(HelloParts.Groups)); break;
            case "no signature algorithms": hello.Extensions.RemoveAt(hello.IndexOf(HelloParts.SignatureAlgorithms)); break;
            case "bytes behind the extensions": hello.Behind = [0]; break;
            case "another application protocol": hello.Extensions[hello.IndexOf(HelloParts.Alpn)] = (HelloParts.Alpn, [0, 3, 2, .. "h3"u8]); break;
            default: throw new ArgumentException($"unknown: {what}", nameof(what));
        }
    }

    /// <summary>Whether the handshake failed.</summary>
    private static bool RunMutated(Random random, ref int silent)
    {
        using HandshakePair pair = HandshakePair.Start(TestMesh.AliceCertificate, TestMesh.BobCertificate);
        int mutated = random.Next(3);
        HashSet<TlsHandshake> spoke = [];
        for (int flight = 0; flight < 3; flight++)
        {
            (TlsHandshake from, TlsHandshake to) = flight % 2 == 0 ? (pair.Client, pair.Server) : (pair.Server, pair.Client);
            byte[] bytes = HandshakePair.TakeAll(from);
            if (from.Failure is not null && bytes.Length > 0) spoke.Add(from);
            to.Advance(flight == mutated ? Mutate(bytes, random) : bytes, out int consumed);
            Assert.True(consumed <= bytes.Length + 100_000);
        }

        foreach ((TlsHandshake side, SpiffeId peer) in ((TlsHandshake, SpiffeId)[])[(pair.Client, TestMesh.Bob), (pair.Server, TestMesh.Alice)])
        {
            Assert.Equal(side.Status == HandshakeStatus.Failed, side.Failure is not null);
            if (HandshakePair.TakeAll(side).Length > 0) spoke.Add(side);
            if (side.Status == HandshakeStatus.Failed)
            {
                Assert.NotEqual("", side.Failure!.Message);
                // Who was told by the other side says nothing; else only a record that the library never saw goes without an alert.
                if (side.Failure.ReceivedAlert is null && !spoke.Contains(side)) silent++;
            }
            else if (side.Status == HandshakeStatus.Completed)
            {
                using TlsSession session = side.TakeSession();
                Assert.Equal(peer, session.Peer.Identity);
            }
        }

        return pair.Client.Failure is not null || pair.Server.Failure is not null;
    }

    private static byte[] Mutate(byte[] flight, Random random)
    {
        if (flight.Length < 10) return [.. flight, 0];
        int at = random.Next(flight.Length);
        byte[] changed = [.. flight];
        switch (random.Next(8))
        {
            case 0 or 1:
                changed[at] ^= (byte)(1 << random.Next(8));
                return changed;
            case 2:
                changed[at] = (byte)random.Next(256);
                return changed;
            case 3:
                return changed[..at];
            case 4:
                return [.. flight, .. flight];
            case 5:
                // The first record's length says something else.
                BinaryPrimitives.WriteUInt16BigEndian(changed.AsSpan(3), (ushort)random.Next(0x4200));
                return changed;
            case 6:
                return [20, 3, 3, 0, 1, 1, .. flight];
            default:
                byte[] piece = new byte[random.Next(1, 40)];
                random.NextBytes(piece);
                return [.. flight.AsSpan(0, at), .. piece, .. flight.AsSpan(at)];
        }
    }
}

/// <summary>Nobody else makes SSL objects meanwhile on the counting thread; and the notices cost everybody a little.</summary>
[CollectionDefinition(HandshakeMutationTests.Name, DisableParallelization = true)]
public sealed class SslObjectCollection;
