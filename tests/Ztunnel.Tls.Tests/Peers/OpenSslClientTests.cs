using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Ztunnel.Testing;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;

namespace Ztunnel.Tls.Tests.Peers;

/// <summary>Our server role against <c>openssl s_client</c>: what is accepted, what is refused with which alert (data-path 3.1), and life after the handshake.</summary>
public sealed class OpenSslClientTests
{
    [Theory]
    [InlineData("TLS_AES_256_GCM_SHA384")]
    [InlineData("TLS_AES_128_GCM_SHA256")]
    public async Task Session_DataAndKeyUpdatesBothWays_ThenCleanClose(string suite)
    {
        using Socket listener = TlsPump.Listen();
        using OpenSslProcess peer = Connect(listener, TestMesh.AliceIssued, "-alpn", "h2", "-ciphersuites", suite);
        using TlsPump pump = await TlsPump.AcceptAsync(listener);

        Assert.Null(pump.Shake(TlsHandshake.StartServer(TestMesh.BobCertificate)));
        Assert.Equal(suite, pump.Session.CipherSuite);
        Assert.Equal("h2", pump.Session.Alpn);
        Assert.Equal(TestMesh.Alice, pump.Session.Peer.Identity);

        foreach (string update in new[] { "K", "k", "K", "K" })
        {
            peer.Type($"before {update}");
            Expect(pump, $"before {update}\n");
            // The program takes what it reads at once for one line: the next must not be typed before this one has had its effect.
            int seen = pump.ControlRecords;
            peer.Type(update);
            pump.ReadControl(seen + 1);
            peer.Type($"after {update}");
            Expect(pump, $"after {update}\n");
            pump.Send(Encoding.ASCII.GetBytes($"answer to {update}\n"));
            await peer.LineAsync($"answer to {update}");
        }

        Assert.Equal(4, pump.ControlRecords);
        peer.Type("Q");
        Assert.Equal(OpenKind.CloseNotify, pump.ReadEnd());
        pump.Close();
        Assert.DoesNotContain("NewSessionTicket", peer.Output, StringComparison.Ordinal);
        // The name of our root in the certificate request; spaced in 3.0, not in 3.5.
        Assert.Matches("Acceptable client certificate CA names\nO ?= ?cluster.local\n", peer.Output);
    }

    [Fact]
    public async Task Session_WeClose_PeerSeesCloseNotify()
    {
        using Socket listener = TlsPump.Listen();
        using OpenSslProcess peer = Connect(listener, TestMesh.AliceIssued);
        using TlsPump pump = await TlsPump.AcceptAsync(listener);
        Assert.Null(pump.Shake(TlsHandshake.StartServer(TestMesh.BobCertificate)));

        pump.Close();

        await peer.LineAsync("warning close_notify");
        Assert.Equal(OpenKind.CloseNotify, pump.ReadEnd());
    }

    [Theory]
    [InlineData(null, "-alpn", "h2,http/1.1")]
    [InlineData(null, "-alpn", "http/1.1,h2")]
    [InlineData(null, "-groups", "P-256:X25519")]
    [InlineData(null, "-groups", "P-384")]
    // The share is for P-521, which we do not have: HelloRetryRequest.
    [InlineData(null, "-groups", "P-521:P-256")]
    [InlineData("TLS_AES_128_GCM_SHA256", "-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384")]
    [InlineData(null, "-servername", "somebody.example")]
    [InlineData(null, "-no_middlebox")]
    [InlineData(null, "-split_send_frag", "512", "-max_send_frag", "512")]
    public async Task Handshake_UnusualButGoodClient_IsAccepted(string? suite, params string[] arguments)
    {
        using Socket listener = TlsPump.Listen();
        using OpenSslProcess peer = Connect(listener, TestMesh.AliceIssued, arguments);
        using TlsPump pump = await TlsPump.AcceptAsync(listener);

        Assert.Null(pump.Shake(TlsHandshake.StartServer(TestMesh.BobCertificate)));

        Assert.Equal(suite ?? "TLS_AES_256_GCM_SHA384", pump.Session.CipherSuite);
        Assert.Equal(arguments.Contains("-alpn") ? "h2" : null, pump.Session.Alpn);
        peer.Type("hello");
        Expect(pump, "hello\n");
    }

    [Theory]
    [InlineData("no ekus")]
    [InlineData("large chain")]
    [InlineData("second uri is the identity")]
    public async Task Handshake_UnusualButGoodCertificate_IsAccepted(string which)
    {
        TestAuthority authority = TestMesh.Authority;
        IssuedCertificate certificate = which switch
        {
            "no ekus" => authority.Issue(new LeafOptions { ExtendedKeyUsages = null }, TestMesh.Alice.ToString()),
            "large chain" => authority.CreateIntermediate("O=one").CreateIntermediate("O=two").Issue(new LeafOptions { PaddingBytes = 40_000 }, TestMesh.Alice.ToString()),
            _ => authority.Issue("https://example.com/x", TestMesh.Alice.ToString(), TestMesh.Bob.ToString()),
        };
        using Socket listener = TlsPump.Listen();
        using OpenSslProcess peer = Connect(listener, certificate);
        using TlsPump pump = await TlsPump.AcceptAsync(listener);

        Assert.Null(pump.Shake(TlsHandshake.StartServer(TestMesh.BobCertificate)));

        Assert.Equal(TestMesh.Alice, pump.Session.Peer.Identity);
        peer.Type("hello");
        Expect(pump, "hello\n");
    }

    [Theory]
    [InlineData("unknown ca", TlsFailureReason.CertificateUnknownIssuer, "unknown_ca")]
    [InlineData("same name, other key", TlsFailureReason.CertificateBadSignature, "decrypt_error")]
    [InlineData("expired", TlsFailureReason.CertificateExpired, "certificate_expired")]
    [InlineData("not yet valid", TlsFailureReason.CertificateNotYetValid, "bad_certificate")]
    [InlineData("server only", TlsFailureReason.CertificatePurpose, "unsupported_certificate")]
    [InlineData("other trust domain", TlsFailureReason.TrustDomainMismatch, "certificate_unknown")]
    [InlineData("no san", TlsFailureReason.TrustDomainMismatch, "certificate_unknown")]
    [InlineData("no spiffe san", TlsFailureReason.TrustDomainMismatch, "certificate_unknown")]
    [InlineData("none", TlsFailureReason.CertificateMissing, "116")]
    public async Task Handshake_BadClientCertificate_IsRefusedWithItsAlert(string which, TlsFailureReason reason, string alert)
    {
        using Socket listener = TlsPump.Listen();
        using OpenSslProcess peer = Connect(listener, ClientCertificate(which));
        using TlsPump pump = await TlsPump.AcceptAsync(listener);

        TlsFailure? failure = pump.Shake(TlsHandshake.StartServer(TestMesh.BobCertificate));

        Assert.Equal(reason, failure?.Reason);
        // A name for certificate_required came to the program only later.
        await peer.LineAsync(alert == "116" ? "alert number 116" : $"fatal {alert}");
    }

    /// <summary>A peer whose own library lets it show them: keys and hashes below 112 bits of security prove nobody.</summary>
    [Theory]
    [InlineData("rsa 1024", "key too weak")]
    [InlineData("sha-1", "digest algorithm too weak")]
    public async Task Handshake_WeakClientCertificate_IsRefused(string which, string named)
    {
        LeafOptions weak = which == "sha-1" ? new LeafOptions { Hash = HashAlgorithmName.SHA1 } : new LeafOptions { RsaBits = 1024 };
        using Socket listener = TlsPump.Listen();
        using OpenSslProcess peer = Connect(listener, TestMesh.Authority.Issue(weak, TestMesh.Alice.ToString()), "-cipher", "DEFAULT@SECLEVEL=0");
        using TlsPump pump = await TlsPump.AcceptAsync(listener);

        TlsFailure? failure = pump.Shake(TlsHandshake.StartServer(TestMesh.BobCertificate));

        Assert.Equal(TlsFailureReason.CertificateInvalid, failure?.Reason);
        Assert.Contains(named, failure!.Message, StringComparison.OrdinalIgnoreCase);
        await peer.LineAsync("fatal ");
    }

    /// <summary>A client may offer a session of some other server of this address, and data that could be replayed (RFC 8446 8): the data is thrown away, and the peer proves itself anew.</summary>
    [Fact]
    public async Task Handshake_ForeignTicketWithEarlyData_IsDoneInFullWithoutTheData()
    {
        string folder = Directory.CreateTempSubdirectory("ztunnel-tls-").FullName;
        string session = Path.Combine(folder, "session.pem"), early = Path.Combine(folder, "early");
        File.WriteAllText(early, "early bytes");
        using (OpenSslProcess other = OpenSslProcess.Server(TestMesh.BobIssued, TestMesh.Authority.Root, "-early_data", "-num_tickets", "1"))
        {
            using OpenSslProcess first = OpenSslProcess.Client(await other.PortAsync(), TestMesh.AliceIssued, TestMesh.Authority.Root, "-sess_out", session);
            await first.LineAsync("NewSessionTicket");
            first.Type("Q");
            await first.ExitAsync();
        }

        using Socket listener = TlsPump.Listen();
        using OpenSslProcess peer = Connect(listener, TestMesh.AliceIssued, "-sess_in", session, "-early_data", early);
        using TlsPump pump = await TlsPump.AcceptAsync(listener);

        Assert.Null(pump.Shake(TlsHandshake.StartServer(TestMesh.BobCertificate)));

        Assert.Equal(TestMesh.Alice, pump.Session.Peer.Identity);
        peer.Type("hello");
        Expect(pump, "hello\n");
        await peer.LineAsync("Early data was rejected");
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData(TlsFailureReason.ProtocolVersion, "protocol_version", "-tls1_2")]
    [InlineData(TlsFailureReason.NoApplicationProtocol, "no_application_protocol", "-alpn", "http/1.1")]
    [InlineData(TlsFailureReason.NoCommonCipherSuite, "handshake_failure", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256")]
    [InlineData(TlsFailureReason.NoCommonGroup, "handshake_failure", "-groups", "P-521")]
    public async Task Handshake_NothingInCommon_IsRefusedWithItsAlert(TlsFailureReason reason, string alert, params string[] arguments)
    {
        using Socket listener = TlsPump.Listen();
        using OpenSslProcess peer = Connect(listener, TestMesh.AliceIssued, arguments);
        using TlsPump pump = await TlsPump.AcceptAsync(listener);

        TlsFailure? failure = pump.Shake(TlsHandshake.StartServer(TestMesh.BobCertificate));

        Assert.Equal(reason, failure?.Reason);
        await peer.LineAsync(alert == "no_application_protocol" ? "alert number 120" : $"fatal {alert}");
    }

    private static IssuedCertificate? ClientCertificate(string which)
    {
        string alice = TestMesh.Alice.ToString();
        TestAuthority authority = TestMesh.Authority;
        DateTimeOffset now = DateTimeOffset.UtcNow;
        return which switch
        {
            "unknown ca" => TestAuthority.Create("O=somebody else").Issue(alice),
            "same name, other key" => TestAuthority.Create("O=cluster.local").Issue(alice),
            "expired" => authority.Issue(new LeafOptions { NotBefore = now.AddDays(-2), NotAfter = now.AddDays(-1) }, alice),
            "not yet valid" => authority.Issue(new LeafOptions { NotBefore = now.AddDays(1), NotAfter = now.AddDays(2) }, alice),
            "server only" => authority.Issue(new LeafOptions { ExtendedKeyUsages = [LeafOptions.ServerAuth] }, alice),
            "other trust domain" => authority.Issue("spiffe://other.td/ns/default/sa/alice"),
            "no san" => authority.Issue(),
            "no spiffe san" => authority.Issue("https://example.com/x"),
            _ => null,
        };
    }

    private static OpenSslProcess Connect(Socket listener, IssuedCertificate? certificate, params string[] arguments) =>
        OpenSslProcess.Client(((IPEndPoint)listener.LocalEndPoint!).Port, certificate, TestMesh.Authority.Root, arguments);

    private static void Expect(TlsPump pump, string text) => Assert.Equal(text, Encoding.ASCII.GetString(pump.Read(text.Length, out _)));
}
