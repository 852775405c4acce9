using System.Text;
using Ztunnel.Testing;
using Ztunnel.Tls.Handshake;
using Ztunnel.Tls.Records;

namespace Ztunnel.Tls.Tests.Peers;

/// <summary>Our client role against <c>openssl s_server</c> (data-path 2.9).</summary>
public sealed class OpenSslServerTests
{
    private static readonly string[] Mutual = ["-Verify", "3", "-verify_return_error"];

    [Theory]
    [InlineData("TLS_AES_256_GCM_SHA384")]
    [InlineData("TLS_AES_128_GCM_SHA256")]
    public async Task Session_DataAndKeyUpdatesBothWays_ThenCleanClose(string suite)
    {
        using OpenSslProcess peer = Start(TestMesh.BobIssued, "-alpn", "h2", "-ciphersuites", suite, "-num_tickets", "4");
        using TlsPump pump = await TlsPump.ConnectAsync(await peer.PortAsync());

        Assert.Null(pump.Shake(TlsHandshake.StartClient(TestMesh.AliceCertificate, [TestMesh.Bob])));
        Assert.Equal(suite, pump.Session.CipherSuite);
        Assert.Equal("h2", pump.Session.Alpn);
        Assert.Equal(TestMesh.Bob, pump.Session.Peer.Identity);

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

        // Four tickets, four KeyUpdates.
        Assert.Equal(8, pump.ControlRecords);
        pump.Close();
        Assert.Equal(OpenKind.CloseNotify, pump.ReadEnd());
    }

    [Fact]
    public async Task Session_WeClose_PeerEndsToo()
    {
        using OpenSslProcess peer = Start(TestMesh.BobIssued);
        using TlsPump pump = await TlsPump.ConnectAsync(await peer.PortAsync());
        Assert.Null(pump.Shake(TlsHandshake.StartClient(TestMesh.AliceCertificate, [TestMesh.Bob])));

        pump.Close();

        await peer.LineAsync("warning close_notify");
        Assert.Equal(OpenKind.CloseNotify, pump.ReadEnd());
    }

    [Theory]
    [InlineData("-groups", "P-384")]
    [InlineData("-groups", "P-256")]
    [InlineData("-alpn", "h2,http/1.1")]
    [InlineData("-num_tickets", "0")]
    [InlineData("-no_middlebox")]
    public async Task Handshake_UnusualButGoodServer_IsAccepted(params string[] arguments)
    {
        using OpenSslProcess peer = Start(TestMesh.BobIssued, arguments);
        using TlsPump pump = await TlsPump.ConnectAsync(await peer.PortAsync());

        Assert.Null(pump.Shake(TlsHandshake.StartClient(TestMesh.AliceCertificate, [TestMesh.Alice, TestMesh.Bob])));

        Assert.Equal(arguments.Contains("-alpn") ? "h2" : null, pump.Session.Alpn);
        pump.Send("hello\n"u8);
        await peer.LineAsync("hello");
        Assert.DoesNotContain("server name", peer.Output, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("unknown ca", TlsFailureReason.CertificateUnknownIssuer, "unknown_ca", "invalid peer certificate: UnknownIssuer")]
    [InlineData("expired", TlsFailureReason.CertificateExpired, "certificate_expired", "invalid peer certificate: certificate expired: verification time ")]
    [InlineData("client only", TlsFailureReason.CertificatePurpose, "unsupported_certificate", "invalid peer certificate: ")]
    [InlineData("other identity", TlsFailureReason.IdentityMismatch, "certificate_unknown", "invalid peer certificate: Other(OtherError(identity verification error: peer did not present the expected SAN (spiffe://cluster.local/ns/default/sa/bob), got spiffe://cluster.local/ns/default/sa/carol))")]
    [InlineData("other trust domain", TlsFailureReason.IdentityMismatch, "certificate_unknown", "invalid peer certificate: Other(OtherError(identity verification error: peer did not present the expected SAN (spiffe://cluster.local/ns/default/sa/bob), got spiffe://other.td/ns/default/sa/bob))")]
    [InlineData("no san", TlsFailureReason.IdentityMismatch, "certificate_unknown", "invalid peer certificate: Other(OtherError(identity verification error: peer did not present the expected SAN (spiffe://cluster.local/ns/default/sa/bob), got ))")]
    public async Task Handshake_BadServerCertificate_IsRefusedWithItsAlert(string which, TlsFailureReason reason, string alert, string message)
    {
        using OpenSslProcess peer = Start(ServerCertificate(which));
        using TlsPump pump = await TlsPump.ConnectAsync(await peer.PortAsync());

        TlsFailure? failure = pump.Shake(TlsHandshake.StartClient(TestMesh.AliceCertificate, [TestMesh.Bob]));

        Assert.Equal(reason, failure?.Reason);
        Assert.StartsWith(message, failure?.Message, StringComparison.Ordinal);
        await peer.LineAsync($"fatal {alert}");
    }

    [Fact]
    public async Task Handshake_ServerWithoutTls13_IsRefused()
    {
        using OpenSslProcess peer = Start(TestMesh.BobIssued, "-tls1_2");
        using TlsPump pump = await TlsPump.ConnectAsync(await peer.PortAsync());

        TlsFailure? failure = pump.Shake(TlsHandshake.StartClient(TestMesh.AliceCertificate, [TestMesh.Bob]));

        Assert.Equal(TlsFailureReason.AlertReceived, failure?.Reason);
        Assert.Equal(TlsAlert.ProtocolVersion, failure?.ReceivedAlert);
    }

    [Fact]
    public async Task Session_ServerRefusesOurCertificate_ItsAlertEndsTheSession()
    {
        TestAuthority other = TestAuthority.Create("O=other");
        using OpenSslProcess peer = OpenSslProcess.Server(TestMesh.BobIssued, other.Root, Mutual);
        using TlsPump pump = await TlsPump.ConnectAsync(await peer.PortAsync());
        Assert.Null(pump.Shake(TlsHandshake.StartClient(TestMesh.AliceCertificate, [TestMesh.Bob])));

        Assert.Equal(OpenKind.Failed, pump.ReadEnd());

        Assert.Equal(TlsFailureReason.AlertReceived, pump.Session.Failure?.Reason);
        Assert.Equal(TlsAlert.UnknownCa, pump.Session.Failure?.ReceivedAlert);
    }

    private static IssuedCertificate ServerCertificate(string which)
    {
        string bob = TestMesh.Bob.ToString();
        TestAuthority authority = TestMesh.Authority;
        DateTimeOffset now = DateTimeOffset.UtcNow;
        return which switch
        {
            "unknown ca" => TestAuthority.Create("O=somebody else").Issue(bob),
            "expired" => authority.Issue(new LeafOptions { NotBefore = now.AddDays(-2), NotAfter = now.AddDays(-1) }, bob),
            "client only" => authority.Issue(new LeafOptions { ExtendedKeyUsages = [LeafOptions.ClientAuth] }, bob),
            "other identity" => authority.Issue("spiffe://cluster.local/ns/default/sa/carol"),
            "other trust domain" => authority.Issue("spiffe://other.td/ns/default/sa/bob"),
            _ => authority.Issue(),
        };
    }

    private static OpenSslProcess Start(IssuedCertificate certificate, params string[] arguments) =>
        OpenSslProcess.Server(certificate, TestMesh.Authority.Root, [.. Mutual, .. arguments]);

    private static void Expect(TlsPump pump, string text) => Assert.Equal(text, Encoding.ASCII.GetString(pump.Read(text.Length, out _)));
}
