using System.Text;
using Ztunnel.Mesh.Identity;
using Ztunnel.Testing;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Interop;
using Ztunnel.Tls.Records;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.Fuzz.Tests.Targets;

/// <summary>TLS as a stranger may send it, and what the authority and the operator hand us: certificates and revocation lists.</summary>
public sealed class TlsTargets
{
    private static readonly SpiffeId Alice = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/alice");
    private static readonly SpiffeId Bob = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/bob");
    private static readonly TestAuthority Authority = TestAuthority.Create();
    private static readonly IssuedCertificate AliceIssued = Authority.Issue(Alice.ToString());
    private static readonly WorkloadCertificate AliceCertificate = AliceIssued.ToWorkload(Alice);
    private static readonly WorkloadCertificate BobCertificate = Authority.IssueWorkload(Bob);

    [Fact]
    public void Records_Damaged_GiveNothingThatWasNotSent() => FuzzRun.Cases("tls records", 250, static input =>
    {
        (TlsSession client, TlsSession server) = Establish();
        List<byte> sent = [];
        List<byte> wire = [];
        for (int records = 1 + input.Below(6); records > 0; records--)
        {
            byte[] plaintext = input.Bytes(500);
            sent.AddRange(plaintext);
            byte[] record = new byte[TlsSession.HeaderBytes + plaintext.Length + TlsSession.TrailerBytes];
            plaintext.CopyTo(record, TlsSession.HeaderBytes);
            client.Seal(record, plaintext.Length);
            wire.AddRange(record);
        }

        byte[] received = input.OneIn(5) ? [.. wire] : input.Damage([.. wire]);
        List<byte> opened = [];
        Span<byte> rest = received;
        while (true)
        {
            OpenResult result = server.Open(rest);
            if (result.Kind == OpenKind.Data)
                opened.AddRange(rest.Slice(result.Offset, result.Length));
            else if (result.Kind != OpenKind.Control)
                break;
            Assert.True(result.Consumed > 0, "no progress");
            rest = rest[result.Consumed..];
        }

        Assert.True(opened.Count <= sent.Count && sent.Take(opened.Count).SequenceEqual(opened), "plaintext that was not sent, or not in this order");
        client.Dispose();
        server.Dispose();
    });

    [Fact]
    public void Handshake_Damaged_FailsOrProvesTheSamePeer() => FuzzRun.Cases("tls handshake", 250, static input =>
    {
        using TlsHandshake client = TlsHandshake.StartClient(AliceCertificate, [Bob]);
        using TlsHandshake server = TlsHandshake.StartServer(BobCertificate);
        int damaged = input.Below(4);
        for (int flight = 0; flight < 4; flight++)
        {
            (TlsHandshake from, TlsHandshake to) = flight % 2 == 0 ? (client, server) : (server, client);
            byte[] bytes = new byte[from.PendingOutputBytes];
            from.TakeOutput(bytes);
            if (flight == damaged)
                bytes = input.OneIn(4) ? input.Bytes(300) : input.Damage(bytes);
            foreach (Range piece in input.Pieces(bytes.Length))
                to.Advance(bytes.AsSpan(piece), out _);
        }

        foreach ((TlsHandshake side, SpiffeId peer) in new[] { (client, Bob), (server, Alice) })
        {
            Assert.Equal(side.Status == HandshakeStatus.Failed, side.Failure is not null);
            if (side.Status != HandshakeStatus.Completed)
                continue;
            side.TakeOutput(new byte[side.PendingOutputBytes]);
            using TlsSession session = side.TakeSession();
            Assert.Equal(peer, session.Peer.Identity);
        }
    });

    [Fact]
    public void RevocationFile_Damaged_IsTakenOrRefusedWithWords() => FuzzRun.Cases("revocation file", 4_000, static input =>
    {
        byte[] der = Lists[input.Below(Lists.Length)];
        byte[] file = input.Below(3) switch
        {
            0 => input.Damage(der),
            1 => Encoding.Latin1.GetBytes(input.Damage(Pem(input.Damage(der)))),
            _ => Encoding.Latin1.GetBytes(input.Damage($"{Pem(der)}\n{Authority.RootPem}\n{Pem(der)}")),
        };
        try
        {
            RevocationSet set = RevocationSet.Read(file);
            set.Revokes([AliceIssued.Leaf.RawData, AliceIssued.Root.RawData]);
        }
        catch (FormatException refused)
        {
            Assert.NotEqual("", refused.Message);
        }
    });

    [Fact]
    public void AuthorityAnswer_Damaged_IsTakenOrRefusedWithWords() => FuzzRun.Cases("ca answer", 250, static input =>
    {
        using SigningRequest request = SigningRequest.Create(Alice);
        string[] chain = [.. Authority.SignRequest(request.Pem)];
        int at = input.Below(chain.Length);
        chain[at] = input.OneIn(3) ? input.Text() : input.OneIn(2) ? input.Damage(chain[at]) : Certificate(input.Damage(Der(chain[at])));
        try
        {
            using WorkloadCertificate taken = request.Complete(input.OneIn(6) ? [.. chain, input.Text()] : chain, LeafIdentityCheck.Required, TlsSettings.Default);
            Assert.Equal(Alice, taken.LeafIdentity);
        }
        catch (Exception refused) when (refused is CertificateChainException or OpenSslException)
        {
            Assert.NotEqual("", refused.Message);
        }
    });

    [Fact]
    public void UriNames_OfAnyBytes_AreVisibleOrNone() => FuzzRun.Cases("subject names", 10_000, static input =>
    {
        foreach (string name in UriNames.Read(input.OneIn(4) ? input.Bytes(60) : input.Damage(UriNames.Write(Alice.ToString()))))
            Assert.Equal(-1, name.AsSpan().IndexOfAnyExceptInRange('!', '~'));
    });

    private static readonly byte[][] Lists = [Authority.Revoke([]), Authority.Revoke([AliceIssued.Leaf]), Authority.Revoke([AliceIssued.Leaf, Authority.Certificate])];

    private static string Pem(byte[] der) => System.Security.Cryptography.PemEncoding.WriteString("X509 CRL", der);

    private static string Certificate(byte[] der) => System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", der);

    private static byte[] Der(string pem)
    {
        System.Security.Cryptography.PemFields fields = System.Security.Cryptography.PemEncoding.Find(pem);
        return Convert.FromBase64String(pem[fields.Base64Data]);
    }

    private static (TlsSession Client, TlsSession Server) Establish()
    {
        using TlsHandshake client = TlsHandshake.StartClient(AliceCertificate, [Bob]);
        using TlsHandshake server = TlsHandshake.StartServer(BobCertificate);
        for (int flight = 0; flight < 4; flight++)
        {
            (TlsHandshake from, TlsHandshake to) = flight % 2 == 0 ? (client, server) : (server, client);
            byte[] bytes = new byte[from.PendingOutputBytes];
            from.TakeOutput(bytes);
            to.Advance(bytes, out _);
        }

        return (client.TakeSession(), server.TakeSession());
    }
}
