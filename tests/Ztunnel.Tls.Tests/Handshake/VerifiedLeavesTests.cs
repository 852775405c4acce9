using System.Security.Cryptography.X509Certificates;
using Ztunnel.Mesh.Identity;
using Ztunnel.Testing;
using Ztunnel.Testing.Time;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.Tls.Tests.Handshake;

/// <summary>A leaf that was verified is not verified again, and nothing that a verification would refuse passes for that.</summary>
public sealed class VerifiedLeavesTests
{
    private static readonly DateTimeOffset Noon = new(2030, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly ManualTimeProvider _time = new(Noon);
    private readonly Revocations _revocations = new();

    [Fact]
    public void Handshake_PeerComesBack_IsTheSamePeerAndKnownOnce()
    {
        using WorkloadCertificate client = TestMesh.AliceIssued.ToWorkload(TestMesh.Alice);
        using WorkloadCertificate server = TestMesh.BobIssued.ToWorkload(TestMesh.Bob);

        (TlsSession firstClient, TlsSession firstServer) = HandshakePair.Establish(client, server);
        (TlsSession secondClient, TlsSession secondServer) = HandshakePair.Establish(client, server);

        Assert.Equal((1, 1), (client.Context.Verified.Count, server.Context.Verified.Count));
        Assert.Equal((TestMesh.Bob, TestMesh.Alice), (secondClient.Peer.Identity, secondServer.Peer.Identity));
        // What the first handshake read serves the second.
        Assert.Same(firstServer.Peer.Identity, secondServer.Peer.Identity);
        foreach (TlsSession session in (TlsSession[])[firstClient, firstServer, secondClient, secondServer]) session.Dispose();
    }

    [Theory]
    [InlineData(60, 30)]
    [InlineData(30, 60)]
    public void Handshake_PathEndsBetweenTwo_IsRefusedThen(int leafMinutes, int intermediateMinutes)
    {
        TestAuthority intermediate = TestMesh.LongLived.CreateIntermediate("O=intermediate", Noon.AddDays(-1), Noon.AddMinutes(intermediateMinutes));
        IssuedCertificate alice = intermediate.Issue(new LeafOptions { NotBefore = Noon.AddDays(-1), NotAfter = Noon.AddMinutes(leafMinutes) }, TestMesh.Alice.ToString());
        using WorkloadCertificate client = alice.ToWorkload(TestMesh.Alice, Clocked());
        using WorkloadCertificate server = LongLived(TestMesh.Bob, Clocked());
        Pass(client, server);
        _time.Advance(TimeSpan.FromMinutes(30) - TimeSpan.FromSeconds(1));
        Pass(client, server);

        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(TlsFailureReason.CertificateExpired, Judge(client, server)?.Reason);
    }

    [Fact]
    public void Handshake_ClockSetBackBeforeTheBeginning_IsRefused()
    {
        IssuedCertificate alice = TestMesh.LongLived.Issue(new LeafOptions { NotBefore = Noon, NotAfter = Noon.AddDays(1) }, TestMesh.Alice.ToString());
        using WorkloadCertificate client = alice.ToWorkload(TestMesh.Alice, Clocked());
        using WorkloadCertificate server = LongLived(TestMesh.Bob, Clocked());
        Pass(client, server);

        _time.Advance(TimeSpan.FromMinutes(-2));

        Assert.Equal(TlsFailureReason.CertificateNotYetValid, Judge(client, server)?.Reason);
    }

    [Fact]
    public void Handshake_KnownLeafIsRevoked_IsRefused()
    {
        using WorkloadCertificate client = TestMesh.AliceIssued.ToWorkload(TestMesh.Alice);
        using WorkloadCertificate server = TestMesh.BobIssued.ToWorkload(TestMesh.Bob, TlsSettings.Default with { Revocations = _revocations });
        Pass(client, server);

        _revocations.Publish(RevocationSet.Read(TestMesh.Authority.Revoke([TestMesh.AliceIssued.Leaf])));

        Assert.Equal(TlsFailureReason.CertificateRevoked, Judge(client, server)?.Reason);
    }

    [Fact]
    public void Handshake_LeafKnownAsAServers_IsNotThereforeAClients()
    {
        IssuedCertificate serverOnly = TestMesh.Authority.Issue(new LeafOptions { ExtendedKeyUsages = [LeafOptions.ServerAuth] }, TestMesh.Alice.ToString());
        using WorkloadCertificate alice = serverOnly.ToWorkload(TestMesh.Alice);
        using WorkloadCertificate bob = TestMesh.BobIssued.ToWorkload(TestMesh.Bob);
        Pass(bob, alice);

        Assert.Equal(TlsFailureReason.CertificatePurpose, Judge(alice, bob)?.Reason);
    }

    [Fact]
    public void Handshake_KnownLeafWithAnotherIdentityExpected_IsRefused()
    {
        using WorkloadCertificate client = TestMesh.AliceIssued.ToWorkload(TestMesh.Alice);
        using WorkloadCertificate server = TestMesh.BobIssued.ToWorkload(TestMesh.Bob);
        Pass(client, server);

        using HandshakePair pair = HandshakePair.Start(client, server, [TestMesh.Alice]);
        pair.Run();

        Assert.Equal(TlsFailureReason.IdentityMismatch, pair.Client.Failure?.Reason);
    }

    [Fact]
    public void Handshake_KnownToOneCertificate_IsNotKnownToItsSuccessorWithOtherRoots()
    {
        using WorkloadCertificate client = TestMesh.AliceIssued.ToWorkload(TestMesh.Alice);
        using WorkloadCertificate before = TestMesh.BobIssued.ToWorkload(TestMesh.Bob);
        Pass(client, before);

        IssuedCertificate bobNow = TestAuthority.Create("O=another").Issue(TestMesh.Bob.ToString());
        using WorkloadCertificate after = bobNow.ToWorkload(TestMesh.Bob);

        using WorkloadCertificate trusting = TestMesh.AliceIssued.ToWorkload(TestMesh.Alice, roots: [TestMesh.Authority.Root, bobNow.Root]);
        using HandshakePair pair = HandshakePair.Start(trusting, after);
        pair.Run();
        Assert.Equal(TlsFailureReason.CertificateUnknownIssuer, pair.Server.Failure?.Reason);
    }

    [Fact]
    public void Remember_MoreThanItHolds_BeginsAnew()
    {
        var leaves = new VerifiedLeaves();
        for (int i = 0; i < VerifiedLeaves.MaxCount; i++) leaves.Remember(VerifiedLeaves.Key.Of(TlsRole.Server, BitConverter.GetBytes(i)), Any());
        Assert.Equal(VerifiedLeaves.MaxCount, leaves.Count);

        leaves.Remember(VerifiedLeaves.Key.Of(TlsRole.Server, "one more"u8), Any());

        Assert.Equal(1, leaves.Count);
        Assert.NotNull(leaves.Find(VerifiedLeaves.Key.Of(TlsRole.Server, "one more"u8)));
    }

    [Theory]
    [InlineData("1951-02-03T04:05:06Z", "2049-12-31T23:59:59Z")]
    [InlineData("2049-12-31T23:59:59Z", "2050-01-01T00:00:00Z")]
    [InlineData("2051-01-01T00:00:00Z", "9999-12-31T23:59:59Z")]
    public void TryReadValidity_BothKindsOfTime_AreWhatTheCertificateSays(string notBefore, string notAfter)
    {
        (DateTimeOffset begins, DateTimeOffset ends) = (DateTimeOffset.Parse(notBefore, null), DateTimeOffset.Parse(notAfter, null));
        X509Certificate2 certificate = TestAuthority.Create("O=any", begins, ends).Certificate;

        Assert.True(CertificateHead.TryRead(certificate.RawData, out CertificateHead head));
        Assert.True(head.TryReadValidity(out DateTimeOffset readBegins, out DateTimeOffset readEnds));
        Assert.Equal((begins, ends), (readBegins, readEnds));
    }

    private static VerifiedLeaf Any() => new(Noon, Noon, [], []);

    private static WorkloadCertificate LongLived(SpiffeId identity, TlsSettings settings) =>
        TestMesh.LongLived.Issue(new LeafOptions { NotBefore = Noon.AddDays(-2), NotAfter = Noon.AddDays(2) }, identity.ToString()).ToWorkload(identity, settings);

    private TlsSettings Clocked() => TlsSettings.Default with { Time = _time };

    /// <summary>What the server says of the client, and the client of the server.</summary>
    private static TlsFailure? Judge(WorkloadCertificate client, WorkloadCertificate server)
    {
        using HandshakePair pair = HandshakePair.Start(client, server);
        pair.Run();
        return pair.Server.Failure ?? pair.Client.Failure;
    }

    private static void Pass(WorkloadCertificate client, WorkloadCertificate server) => Assert.Null(Judge(client, server));
}
