using Ztunnel.Mesh.Identity;
using Ztunnel.Testing;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.Tls.Tests.Handshake;

public sealed class TlsHandshakeTests
{
    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(100)]
    [InlineData(1)]
    public void Handshake_BetweenTwoWorkloads_ProvesBothSides(int pieceBytes)
    {
        using HandshakePair pair = HandshakePair.Start(TestMesh.AliceCertificate, TestMesh.BobCertificate);

        pair.Run(pieceBytes);

        Assert.Equal(HandshakeStatus.Completed, pair.Client.Status);
        Assert.Equal(HandshakeStatus.Completed, pair.Server.Status);
        using TlsSession client = pair.Client.TakeSession();
        using TlsSession server = pair.Server.TakeSession();
        Assert.Equal(TestMesh.Bob, client.Peer.Identity);
        Assert.Equal(TestMesh.Alice, server.Peer.Identity);
        Assert.Equal("h2", client.Alpn);
        Assert.Equal("h2", server.Alpn);
        Assert.Equal("TLS_AES_256_GCM_SHA384", client.CipherSuite);
        Assert.Equal(client.CipherSuite, server.CipherSuite);
        Assert.Equal(client.Group, server.Group);
        Assert.Equal(KeyExchangeGroups.HasHybrid ? "X25519MLKEM768" : "x25519", client.Group, ignoreCase: true);
    }

    [Fact]
    public void Handshake_WithIntermediates_KeepsTheVerifiedPathForRevocation()
    {
        TlsSettings checking = TlsSettings.Default with { Revocations = new Revocations() };
        TestAuthority root = TestAuthority.CreateRsa("O=root");
        IssuedCertificate bob = root.CreateIntermediate("O=first").CreateIntermediate("O=second").Issue(TestMesh.Bob.ToString());
        using WorkloadCertificate client = root.IssueWorkload(TestMesh.Alice, checking);
        using WorkloadCertificate server = bob.ToWorkload(TestMesh.Bob);

        (TlsSession clientSession, TlsSession serverSession) = HandshakePair.Establish(client, server);

        byte[][] expected = [bob.Leaf.RawData, .. bob.Intermediates.Select(certificate => certificate.RawData), bob.Root.RawData];
        Assert.Equal(expected, clientSession.Peer.VerifiedChain.Select(certificate => certificate.ToArray()));
        // The server checks no revocation: it has no use for the client's.
        Assert.Empty(serverSession.Peer.VerifiedChain);
        clientSession.Dispose();
        serverSession.Dispose();
    }

    [Fact]
    public void Advance_BytesBehindTheLastRecord_StayWithTheCaller()
    {
        using HandshakePair pair = HandshakePair.Start(TestMesh.AliceCertificate, TestMesh.BobCertificate);
        pair.Server.Advance(HandshakePair.TakeAll(pair.Client), out _);
        pair.Client.Advance(HandshakePair.TakeAll(pair.Server), out _);
        byte[] finished = HandshakePair.TakeAll(pair.Client);
        using TlsSession client = pair.Client.TakeSession();
        byte[] data = new byte[TlsSession.HeaderBytes + 5 + TlsSession.TrailerBytes];
        "hello"u8.CopyTo(data.AsSpan(TlsSession.HeaderBytes));
        client.Seal(data, 5);

        HandshakeStatus status = pair.Server.Advance([.. finished, .. data], out int consumed);

        Assert.Equal(HandshakeStatus.Completed, status);
        Assert.Equal(finished.Length, consumed);
        using TlsSession server = pair.Server.TakeSession();
        OpenResult opened = server.Open(data);
        Assert.Equal(OpenKind.Data, opened.Kind);
        Assert.Equal("hello"u8, data.AsSpan(opened.Offset, opened.Length));
    }

    [Fact]
    public void Handshake_ServerWithAnotherIdentity_IsRefusedByTheClient()
    {
        using HandshakePair pair = HandshakePair.Start(TestMesh.AliceCertificate, TestMesh.BobCertificate, [TestMesh.Alice]);

        pair.Run();

        Assert.Equal(TlsFailureReason.IdentityMismatch, pair.Client.Failure?.Reason);
        Assert.Equal(
            $"invalid peer certificate: Other(OtherError(identity verification error: peer did not present the expected SAN ({TestMesh.Alice}), got {TestMesh.Bob}))",
            pair.Client.Failure?.Message);
        Assert.Equal(TlsAlert.CertificateUnknown, pair.Server.Failure?.ReceivedAlert);
    }

    [Fact]
    public void Handshake_NoExpectedIdentity_AcceptsNobody()
    {
        using HandshakePair pair = HandshakePair.Start(TestMesh.AliceCertificate, TestMesh.BobCertificate, []);

        pair.Run();

        Assert.Equal(TlsFailureReason.IdentityMismatch, pair.Client.Failure?.Reason);
    }

    [Fact]
    public void Handshake_ClientOfAnotherTrustDomain_IsRefusedByTheServer()
    {
        SpiffeId stranger = SpiffeId.Parse("spiffe://other.td/ns/default/sa/alice");
        using WorkloadCertificate client = TestMesh.Authority.IssueWorkload(stranger);
        using HandshakePair pair = HandshakePair.Start(client, TestMesh.BobCertificate);

        pair.Run();

        Assert.Equal(TlsFailureReason.TrustDomainMismatch, pair.Server.Failure?.Reason);
        Assert.Equal($"identity verification error: peer did not present the expected trustdomain (cluster.local), got {stranger}", pair.Server.Failure?.Message);
    }
}
