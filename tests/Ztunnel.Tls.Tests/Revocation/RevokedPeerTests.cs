using Ztunnel.Testing;
using Ztunnel.Testing.Time;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;
using Ztunnel.Tls.Revocation;
using Ztunnel.Tls.Tests.Handshake;

namespace Ztunnel.Tls.Tests.Revocation;

/// <summary>Revocation in the handshake, both directions, and of peers whose handshake is over.</summary>
public sealed class RevokedPeerTests
{
    private readonly Revocations _revocations = new();

    [Theory]
    [InlineData("the client's leaf")]
    [InlineData("the server's leaf")]
    [InlineData("the intermediate")]
    public void Handshake_PeerIsRevoked_FailsWithItsAlert(string what)
    {
        TestAuthority root = TestAuthority.Create();
        TestAuthority intermediate = root.CreateIntermediate("O=intermediate");
        IssuedCertificate alice = intermediate.Issue(TestMesh.Alice.ToString());
        IssuedCertificate bob = intermediate.Issue(TestMesh.Bob.ToString());
        byte[] list = what switch
        {
            "the client's leaf" => intermediate.Revoke([alice.Leaf]),
            "the server's leaf" => intermediate.Revoke([bob.Leaf]),
            _ => root.Revoke([intermediate.Certificate]),
        };
        _revocations.Publish(RevocationSet.Read(list));
        bool clientChecks = what == "the server's leaf";
        using WorkloadCertificate client = alice.ToWorkload(TestMesh.Alice, clientChecks ? Checking() : null);
        using WorkloadCertificate server = bob.ToWorkload(TestMesh.Bob, clientChecks ? null : Checking());

        using HandshakePair pair = HandshakePair.Start(client, server);
        pair.Run();

        TlsHandshake refusing = clientChecks ? pair.Client : pair.Server;
        Assert.Equal(new TlsFailure(TlsFailureReason.CertificateRevoked, "invalid peer certificate: Revoked"), refusing.Failure);
        if (clientChecks) Assert.Equal(TlsAlert.CertificateRevoked, pair.Server.Failure?.ReceivedAlert);
    }

    [Fact]
    public void Handshake_ListsChange_ContextsStayAndNewOnesCount()
    {
        using WorkloadCertificate client = TestMesh.AliceIssued.ToWorkload(TestMesh.Alice);
        using WorkloadCertificate server = TestMesh.BobIssued.ToWorkload(TestMesh.Bob, Checking());
        (TlsSession mine, TlsSession theirs) = HandshakePair.Establish(client, server);
        TlsContext context = server.Context;
        Assert.False(_revocations.Revokes(theirs.Peer));

        int changes = 0;
        _revocations.Changed += () => changes++;
        _revocations.Publish(RevocationSet.Read(TestMesh.Authority.Revoke([TestMesh.AliceIssued.Leaf])));

        Assert.Equal(1, changes);
        Assert.True(_revocations.Revokes(theirs.Peer));
        Assert.NotEqual(_revocations.Generation, theirs.Peer.RevocationGeneration);
        using (HandshakePair refused = HandshakePair.Start(client, server))
        {
            refused.Run();
            Assert.Equal(TlsFailureReason.CertificateRevoked, refused.Server.Failure?.Reason);
        }

        _revocations.Publish(RevocationSet.Empty);
        (TlsSession again, TlsSession accepted) = HandshakePair.Establish(client, server);
        Assert.Equal(_revocations.Generation, accepted.Peer.RevocationGeneration);
        Assert.Same(context, server.Context);
        foreach (TlsSession session in new[] { mine, theirs, again, accepted }) session.Dispose();
    }

    [Fact]
    public void Revokes_PeerThatSentJunkBesideItsChain_IsFoundByTheVerifiedPath()
    {
        TestAuthority intermediate = TestMesh.Authority.CreateIntermediate("O=intermediate");
        TestAuthority junk = TestAuthority.Create("O=unrelated").CreateIntermediate("O=junk");
        IssuedCertificate issued = intermediate.Issue(TestMesh.Alice.ToString());
        using WorkloadCertificate client = (issued with { Intermediates = [junk.Certificate, .. issued.Intermediates] }).ToWorkload(TestMesh.Alice);
        using WorkloadCertificate server = TestMesh.BobIssued.ToWorkload(TestMesh.Bob, Checking());
        (TlsSession mine, TlsSession theirs) = HandshakePair.Establish(client, server);

        _revocations.Publish(RevocationSet.Read(TestMesh.Authority.Revoke([intermediate.Certificate])));

        Assert.True(_revocations.Revokes(theirs.Peer));
        mine.Dispose();
        theirs.Dispose();
    }

    [Fact]
    public void Revokes_PeerWhoseCertificateHasExpiredMeanwhile_IsRevokedAllTheSame()
    {
        var time = new ManualTimeProvider();
        DateTimeOffset now = time.GetUtcNow();
        IssuedCertificate issued = TestMesh.LongLived.Issue(new LeafOptions { NotBefore = now.AddMinutes(-2), NotAfter = now.AddHours(1) }, TestMesh.Alice.ToString());
        using WorkloadCertificate client = issued.ToWorkload(TestMesh.Alice, Checking() with { Time = time });
        using WorkloadCertificate server = TestMesh.LongLived.Issue(new LeafOptions { NotBefore = now.AddMinutes(-2), NotAfter = now.AddHours(9) }, TestMesh.Bob.ToString())
            .ToWorkload(TestMesh.Bob, Checking() with { Time = time });
        (TlsSession mine, TlsSession theirs) = HandshakePair.Establish(client, server);

        time.Advance(TimeSpan.FromHours(2));
        _revocations.Publish(RevocationSet.Read(TestMesh.LongLived.Revoke([issued.Leaf])));

        Assert.True(_revocations.Revokes(theirs.Peer));
        mine.Dispose();
        theirs.Dispose();
    }

    [Theory]
    [InlineData(59, null)]
    [InlineData(62, TlsFailureReason.CertificateNotYetValid)]
    public void Handshake_CertificateThatBeginsSoon_PassesWithinTheClockSkew(int seconds, TlsFailureReason? reason)
    {
        var time = new ManualTimeProvider();
        DateTimeOffset now = time.GetUtcNow();
        using WorkloadCertificate client = TestMesh.LongLived.Issue(new LeafOptions { NotBefore = now.AddSeconds(seconds), NotAfter = now.AddHours(1) }, TestMesh.Alice.ToString())
            .ToWorkload(TestMesh.Alice, new TlsSettings { Time = time });
        using WorkloadCertificate server = TestMesh.LongLived.Issue(new LeafOptions { NotBefore = now.AddMinutes(-2), NotAfter = now.AddHours(1) }, TestMesh.Bob.ToString())
            .ToWorkload(TestMesh.Bob, new TlsSettings { Time = time });

        using HandshakePair pair = HandshakePair.Start(client, server);
        pair.Server.Advance(HandshakePair.TakeAll(pair.Client), out _);
        pair.Client.Advance(HandshakePair.TakeAll(pair.Server), out _);
        Assert.Null(pair.Client.Failure);
        pair.Server.Advance(HandshakePair.TakeAll(pair.Client), out _);

        Assert.Equal(reason, pair.Server.Failure?.Reason);
        Assert.Equal(reason is null, pair.Server.Status == HandshakeStatus.Completed);
    }

    private TlsSettings Checking() => TlsSettings.Default with { Revocations = _revocations };
}
