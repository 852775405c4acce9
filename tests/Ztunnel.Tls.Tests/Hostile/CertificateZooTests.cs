using Ztunnel.Mesh.Identity;
using Ztunnel.Testing;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;
using Ztunnel.Tls.Revocation;
using Ztunnel.Tls.Tests.Handshake;

namespace Ztunnel.Tls.Tests.Hostile;

/// <summary>Every certificate of the zoo, shown by a client to our server and by a server to our client; and what those who are refused learn.</summary>
public sealed class CertificateZooTests
{
    // What a refusal has on the wire, whatever it is about. A server has its keys by then: header, alert, type, tag. A client of the library has none for writing until it has read the server's Finished.
    private const int AlertOfAServer = 5 + 2 + 1 + 16;
    private const int AlertOfAClient = 5 + 2;

    private const int MostMessageCharacters = 2_000;

    public static TheoryData<string, TlsRole> Animals
    {
        get
        {
            var data = new TheoryData<string, TlsRole>();
            foreach (string name in CertificateZoo.All.Keys)
            {
                data.Add(name, TlsRole.Client);
                data.Add(name, TlsRole.Server);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Animals))]
    public void Certificate_ShownByAPeer_IsJudged(string name, TlsRole shownBy)
    {
        ZooAnimal animal = CertificateZoo.All[name];
        TlsFailureReason? expected = shownBy == TlsRole.Client ? animal.Reason : animal.ReasonOfServer;

        Judgement judgement = Judge(animal, shownBy);

        if (animal.IsRefusedByTheLibrary)
        {
            Assert.NotNull(judgement.Failure);
            Assert.True(judgement.Failure.Reason is TlsFailureReason.CertificateInvalid or TlsFailureReason.CertificateUnknownIssuer or TlsFailureReason.CertificatePurpose, judgement.Failure.ToString());
            Assert.NotNull(judgement.Told);
            return;
        }

        Assert.True(expected == judgement.Failure?.Reason, $"{expected} expected, not {judgement.Failure}");
        if (expected is null)
        {
            Assert.Equal(shownBy == TlsRole.Client ? TestMesh.Alice.TrustDomain : TestMesh.Bob.TrustDomain, judgement.Peer!.Identities.Last(static id => id.TrustDomain == "cluster.local").TrustDomain);
            return;
        }

        Assert.True(animal.Alert == judgement.Told, $"{animal.Alert} expected, not {judgement.Told}");
        Assert.Equal(shownBy == TlsRole.Client ? AlertOfAServer : AlertOfAClient, judgement.Wire.Length);
        Assert.InRange(judgement.Failure!.Message.Length, 1, MostMessageCharacters);
    }

    [Theory]
    [InlineData(TlsRole.Client)]
    [InlineData(TlsRole.Server)]
    public void Certificate_ForTheOtherRoleOnly_IsRefused(TlsRole shownBy)
    {
        var wrong = new ZooAnimal(
            id => TestMesh.Authority.Issue(new LeafOptions { ExtendedKeyUsages = [shownBy == TlsRole.Client ? LeafOptions.ServerAuth : LeafOptions.ClientAuth] }, id.ToString()),
            TlsFailureReason.CertificatePurpose);

        Judgement judgement = Judge(wrong, shownBy);

        Assert.Equal((TlsFailureReason.CertificatePurpose, TlsAlert.UnsupportedCertificate), (judgement.Failure!.Reason, judgement.Told));
    }

    [Theory]
    [InlineData(TlsRole.Client)]
    [InlineData(TlsRole.Server)]
    public void Certificate_Revoked_IsRefused(TlsRole shownBy)
    {
        var revocations = new Revocations();
        IssuedCertificate issued = TestMesh.Authority.Issue((shownBy == TlsRole.Client ? TestMesh.Alice : TestMesh.Bob).ToString());
        revocations.Publish(RevocationSet.Read(TestMesh.Authority.Revoke([issued.Leaf])));

        Judgement judgement = Judge(new ZooAnimal(_ => issued, TlsFailureReason.CertificateRevoked), shownBy, TlsSettings.Default with { Revocations = revocations });

        Assert.Equal((TlsFailureReason.CertificateRevoked, TlsAlert.CertificateRevoked), (judgement.Failure!.Reason, judgement.Told));
        Assert.Equal(shownBy == TlsRole.Client ? AlertOfAServer : AlertOfAClient, judgement.Wire.Length);
    }

    /// <summary>
    /// Whose identity would have been welcome is nobody's business: a peer of our own root whose name does not fit is told the same, with the same number of bytes, whichever names it has, whichever are
    /// expected, and however many.
    /// </summary>
    [Theory]
    [InlineData(TlsRole.Client)]
    [InlineData(TlsRole.Server)]
    public void Refusal_OfAnIdentity_LooksTheSameWhateverTheReason(TlsRole shownBy)
    {
        Judgement[] refusals =
        [
            .. CertificateZoo.All.Values
                .Where(animal => (shownBy == TlsRole.Client ? animal.Reason : animal.ReasonOfServer) is TlsFailureReason.TrustDomainMismatch or TlsFailureReason.IdentityMismatch)
                .Select(animal => Judge(animal, shownBy)),
            .. shownBy == TlsRole.Client ? (Judgement[])[] : [
                Judge(CertificateZoo.All["as it should be"], shownBy, expected: []),
                Judge(CertificateZoo.All["as it should be"], shownBy, expected: [TestMesh.Alice]),
                Judge(CertificateZoo.All["as it should be"], shownBy, expected: [.. Enumerable.Range(0, 500).Select(static i => SpiffeId.Parse($"spiffe://cluster.local/ns/n{i}/sa/a"))])],
        ];

        Assert.True(refusals.Length >= 10);
        Assert.Single(refusals.Select(static refusal => (refusal.Told, refusal.Wire.Length, Convert.ToHexString(refusal.Wire.AsSpan(0, TlsSession.HeaderBytes)))).Distinct());
        Assert.Equal(TlsAlert.CertificateUnknown, refusals[0].Told);
    }

    /// <summary>A refused client has seen our server's flight, which is the same for everybody, and then one alert.</summary>
    [Fact]
    public void Refusal_ByAServer_SaysNothingBeforeTheCertificateIsThere()
    {
        int[] flights = [.. CertificateZoo.All.Values.Select(static animal => Judge(animal, TlsRole.Client).FlightBytes).Distinct()];

        // Signatures of P-256 differ by a few bytes in DER.
        Assert.InRange(flights.Max() - flights.Min(), 0, 8);
    }

    private static Judgement Judge(ZooAnimal animal, TlsRole shownBy, TlsSettings? settings = null, SpiffeId[]? expected = null)
    {
        IssuedCertificate issued = animal.Show(shownBy == TlsRole.Client ? TestMesh.Alice : TestMesh.Bob);
        using WorkloadCertificate shown = issued.ToWorkload(shownBy == TlsRole.Client ? TestMesh.Alice : TestMesh.Bob, settings: null, TestMesh.Authority.Root);
        using WorkloadCertificate judge = (shownBy == TlsRole.Client ? TestMesh.BobIssued : TestMesh.AliceIssued).ToWorkload(shownBy == TlsRole.Client ? TestMesh.Bob : TestMesh.Alice, settings);
        using TlsHandshake client = TlsHandshake.StartClient(shownBy == TlsRole.Client ? shown : judge, [.. expected ?? [TestMesh.Bob]]);
        using TlsHandshake server = TlsHandshake.StartServer(shownBy == TlsRole.Client ? judge : shown);
        server.Advance(HandshakePair.TakeAll(client), out _);
        byte[] flight = HandshakePair.TakeAll(server);
        client.Advance(flight, out _);
        byte[] answer = HandshakePair.TakeAll(client);
        server.Advance(answer, out _);
        byte[] last = HandshakePair.TakeAll(server);
        if (shownBy == TlsRole.Server) return new Judgement(client.Failure, server.Failure?.ReceivedAlert, Peer(client), WithoutCompatibilityRecord(answer), flight.Length);
        if (server.Failure is null) return new Judgement(null, null, Peer(server), last, flight.Length);

        // A client of TLS 1.3 is done before its certificate is judged: it learns from the first record it reads.
        using TlsSession session = client.TakeSession();
        session.Open([.. last]);
        return new Judgement(server.Failure, session.Failure?.ReceivedAlert, null, last, flight.Length);
    }

    private static PeerIdentity? Peer(TlsHandshake handshake)
    {
        if (handshake.Status != HandshakeStatus.Completed) return null;
        HandshakePair.TakeAll(handshake);
        using TlsSession session = handshake.TakeSession();
        return session.Peer;
    }

    private static byte[] WithoutCompatibilityRecord(byte[] wire) => wire.AsSpan().StartsWith((ReadOnlySpan<byte>)[20, 3, 3, 0, 1, 1]) ? wire[6..] : wire;

    /// <param name="Failure">What the judging side found; null: accepted.</param>
    /// <param name="Told">The alert the other side read.</param>
    /// <param name="Peer">Who it was taken for.</param>
    /// <param name="Wire">What the judging side wrote behind the certificate.</param>
    /// <param name="FlightBytes">What the server had written before.</param>
    private sealed record Judgement(TlsFailure? Failure, TlsAlert? Told, PeerIdentity? Peer, byte[] Wire, int FlightBytes);
}
