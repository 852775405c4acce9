using System.Text;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Tls.Tests.Handshake;

/// <summary>Peers that are no TLS peers, cut their messages, change them or never stop.</summary>
public sealed class HostilePeerTests
{
    [Theory]
    [InlineData("GET / HTTP/1.1\r\n\r\n")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    [InlineData("\u0080\u002e\u0001\u0003\u0001\u0000\u0015")]
    [InlineData("\u0016\u0003\u0001\u00ff\u00ff")]
    [InlineData("\u0000\u0000\u0000\u0000\u0000\u0000")]
    public void Advance_FirstBytesAreNoRecord_FailsAtOnceWithAnAlert(string text)
    {
        using TlsHandshake server = TlsHandshake.StartServer(TestMesh.BobCertificate);
        byte[] garbage = Encoding.Latin1.GetBytes(text);

        Assert.Equal(HandshakeStatus.Failed, server.Advance(garbage, out int consumed));

        Assert.Equal(5, consumed);
        Assert.Equal(TlsFailureReason.NotTls, server.Failure?.Reason);
        Assert.Equal([21, 3, 3, 0, 2, 2, (byte)TlsAlert.UnexpectedMessage], HandshakePair.TakeAll(server));
        Assert.Throws<InvalidOperationException>(server.TakeSession);
    }

    [Fact]
    public void Advance_RecordOfGarbage_Fails()
    {
        using TlsHandshake server = TlsHandshake.StartServer(TestMesh.BobCertificate);
        byte[] record = [22, 3, 1, 0, 200, .. Enumerable.Repeat((byte)0xA5, 200)];

        Assert.Equal(HandshakeStatus.Failed, server.Advance(record, out _));

        Assert.Equal(TlsFailureReason.ProtocolViolation, server.Failure?.Reason);
        Assert.NotEmpty(HandshakePair.TakeAll(server));
    }

    [Fact]
    public void Advance_DataBeforeTheHandshake_Fails()
    {
        using TlsHandshake server = TlsHandshake.StartServer(TestMesh.BobCertificate);

        Assert.Equal(HandshakeStatus.Failed, server.Advance([23, 3, 3, 0, 20, .. new byte[20]], out _));
    }

    [Fact]
    public void Advance_AHandshakeCutAnywhere_NeverCompletes()
    {
        using HandshakePair whole = HandshakePair.Start(TestMesh.AliceCertificate, TestMesh.BobCertificate);
        byte[] hello = HandshakePair.TakeAll(whole.Client);
        for (int cut = 0; cut < hello.Length; cut += 7)
        {
            using TlsHandshake server = TlsHandshake.StartServer(TestMesh.BobCertificate);

            Assert.Equal(HandshakeStatus.InProgress, server.Advance(hello.AsSpan(0, cut), out int consumed));

            Assert.Equal(cut, consumed);
            Assert.Equal(0, server.PendingOutputBytes);
        }
    }

    [Fact]
    public void Advance_AnyByteOfTheClientsFlightChanged_FailsOrWaits()
    {
        for (int round = 0; round < 60; round++)
        {
            using HandshakePair pair = HandshakePair.Start(TestMesh.AliceCertificate, TestMesh.BobCertificate);
            pair.Server.Advance(HandshakePair.TakeAll(pair.Client), out _);
            pair.Client.Advance(HandshakePair.TakeAll(pair.Server), out _);
            byte[] flight = HandshakePair.TakeAll(pair.Client);
            // Byte 1 and 2 of the compatibility record, its version, mean nothing by RFC 8446 5; all else is protected.
            int at = 6 + (round * (flight.Length - 6) / 60);
            flight[at] ^= 0x01;

            pair.Server.Advance(flight, out _);

            Assert.NotEqual(HandshakeStatus.Completed, pair.Server.Status);
        }
    }

    [Fact]
    public void Advance_CompatibilityRecordsWithoutEnd_AreBounded()
    {
        using HandshakePair pair = HandshakePair.Start(TestMesh.AliceCertificate, TestMesh.BobCertificate);
        pair.Server.Advance(HandshakePair.TakeAll(pair.Client), out _);

        int records = 0;
        while (pair.Server.Status == HandshakeStatus.InProgress && records < 100_000)
        {
            pair.Server.Advance([20, 3, 3, 0, 1, 1], out _);
            records++;
        }

        Assert.Equal(HandshakeStatus.Failed, pair.Server.Status);
    }

    [Fact]
    public void Advance_ALargeMessageInSmallRecords_IsBounded()
    {
        using TlsHandshake server = TlsHandshake.StartServer(TestMesh.BobCertificate);
        // A ClientHello that announces 16 MiB.
        server.Advance([22, 3, 1, 0, 8, 1, 0xFF, 0xFF, 0xFF, 3, 3, 0, 0], out _);
        byte[] piece = [22, 3, 3, 0x40, 0, .. new byte[0x4000]];
        int sent = 0;
        while (server.Status == HandshakeStatus.InProgress && sent < 20_000_000)
        {
            server.Advance(piece, out int consumed);
            sent += consumed;
        }

        Assert.Equal(HandshakeStatus.Failed, server.Status);
        Assert.True(sent <= 130 * 1024, $"{sent} bytes were taken");
    }

    [Fact]
    public void Advance_AlertInsteadOfAnAnswer_IsItsFailure()
    {
        using TlsHandshake client = TlsHandshake.StartClient(TestMesh.AliceCertificate, [TestMesh.Bob]);

        client.Advance([21, 3, 3, 0, 2, 2, 40], out _);

        Assert.Equal(new TlsFailure(TlsFailureReason.AlertReceived, "received fatal alert: handshake_failure", TlsAlert.HandshakeFailure), client.Failure);
    }

    [Fact]
    public void TakeSession_BeforeTheLastFlightIsTaken_Throws()
    {
        using HandshakePair pair = HandshakePair.Start(TestMesh.AliceCertificate, TestMesh.BobCertificate);
        pair.Server.Advance(HandshakePair.TakeAll(pair.Client), out _);
        pair.Client.Advance(HandshakePair.TakeAll(pair.Server), out _);

        Assert.Equal(HandshakeStatus.Completed, pair.Client.Status);
        Assert.Throws<InvalidOperationException>(pair.Client.TakeSession);
    }

    [Fact]
    public void Handshake_CertificateDisposedMeanwhile_GoesOn()
    {
        using var own = TestMesh.BobIssued.ToWorkload(TestMesh.Bob);
        using HandshakePair pair = HandshakePair.Start(TestMesh.AliceCertificate, own);
        own.Dispose();

        pair.Run();

        Assert.Equal(HandshakeStatus.Completed, pair.Server.Status);
        Assert.Throws<ObjectDisposedException>(() => TlsHandshake.StartServer(own));
    }

    [Fact]
    public void KeyLog_OfAHandshake_HasTheLinesThatToolsNeed()
    {
        var lines = new List<string>();
        using var logged = TestMesh.BobIssued.ToWorkload(TestMesh.Bob, new TlsSettings { KeyLog = lines.Add });
        using HandshakePair pair = HandshakePair.Start(TestMesh.AliceCertificate, logged);

        pair.Run();

        string[] labels = [.. lines.Select(line => line.Split(' ')[0])];
        Assert.Contains("CLIENT_HANDSHAKE_TRAFFIC_SECRET", labels);
        Assert.Contains("SERVER_HANDSHAKE_TRAFFIC_SECRET", labels);
        Assert.Contains("CLIENT_TRAFFIC_SECRET_0", labels);
        Assert.Contains("SERVER_TRAFFIC_SECRET_0", labels);
    }
}
