using System.Globalization;
using Ztunnel.Integration.Tests.Network;
using Ztunnel.Testing;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Integration.Tests;

/// <summary>Peers that must not come in: closed within the time limit, one line with the reason, nothing left behind (data-path 3.1).</summary>
[Collection(InteropCollection.Name)]
public sealed class RefusedPeerTests(InteropMesh mesh)
{
    private static readonly TimeSpan HandshakeLimit = TimeSpan.FromSeconds(10);

    /// <summary>Kind, how the peer learns of it (the alert as Python's ssl names it), part of the line, its reason.</summary>
    public static TheoryData<string, string, string, string> Kinds => new()
    {
        { "none", "TLSV13_ALERT_CERTIFICATE_REQUIRED", "tls handshake error: ", "tls_failed" },
        { "foreign", "TLSV1_ALERT_UNKNOWN_CA", "tls handshake error: ", "tls_failed" },
        // Another authority under the name of ours.
        { "namesake", "TLSV1_ALERT_DECRYPT_ERROR", "tls handshake error: ", "tls_failed" },
        { "expired", "SSLV3_ALERT_CERTIFICATE_EXPIRED", "tls handshake error: ", "tls_failed" },
        { "server-only", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "tls handshake error: ", "tls_failed" },
        { "alien", "SSLV3_ALERT_CERTIFICATE_UNKNOWN", "peer did not present the expected trustdomain (cluster.local), got spiffe://elsewhere.test/ns/default/sa/client", "identity_rejected" },
        { "tls12", "TLSV1_ALERT_PROTOCOL_VERSION", "tls handshake error: ", "tls_failed" },
        { "http1", "[SSL] tlsv1 alert no application protocol|TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "tls handshake error: ", "tls_failed" },
        { "garbage", "closed|reset", "tls handshake error: ", "tls_failed" },
    };

    [NamespaceTheory]
    [MemberData(nameof(Kinds))]
    public async Task Peer_OfTheWrongKind_IsRefusedAndLoggedOnce(string kind, string seen, string text, string reason)
    {
        string[] lines = await mesh.RunClientAsync(CertificateOf(kind), "handshake", kind);

        string source = $"src.addr={mesh.Client.Address}:{lines[0].Split(' ')[1]} ";
        string line = await mesh.Node.WaitForLogAsync(source);
        Assert.Contains(lines[1], seen.Split('|'));
        Assert.Contains("connection failed", line, StringComparison.Ordinal);
        Assert.Contains($"dst.addr={mesh.Node.Member.Address}:15008 direction=\"inbound\"", line, StringComparison.Ordinal);
        Assert.Contains(text, line, StringComparison.Ordinal);
        Assert.Contains($"reason=\"{reason}\"", line, StringComparison.Ordinal);
        Assert.Equal(1, mesh.Node.CountLog(source));
    }

    /// <summary>One says nothing, one stops in the middle of a record: both wait for the limit, at the same time.</summary>
    [NamespaceFact]
    public async Task Peer_ThatStopsSpeaking_IsClosedAtTheLimit()
    {
        string certificate = CertificateOf("none");
        long start = TimeProvider.System.GetTimestamp();
        string[][] outcomes = await Task.WhenAll(
            mesh.RunClientAsync(certificate, 3 * HandshakeLimit, "handshake", "silent"), mesh.RunClientAsync(certificate, 3 * HandshakeLimit, "handshake", "half"));

        Assert.InRange(TimeProvider.System.GetElapsedTime(start), HandshakeLimit - TimeSpan.FromSeconds(1), HandshakeLimit + TimeSpan.FromSeconds(3));
        foreach (string[] lines in outcomes)
        {
            Assert.Contains(lines[1], (string[])["closed", "reset"]);
            await mesh.Node.WaitForLogAsync($"src.addr={mesh.Client.Address}:{lines[0].Split(' ')[1]} ", "reason=\"set_up_timed_out\"");
        }
    }

    [NamespaceFact]
    public async Task RefusedPeers_LeaveNoDescriptorBehind()
    {
        string certificate = CertificateOf("good");
        await mesh.RunClientAsync(certificate, "refusals");
        int before = mesh.Node.OpenDescriptors;
        for (int round = 0; round < 5; round++)
        {
            await Task.WhenAll(((string[])["none", "foreign", "alien", "tls12", "garbage"]).Select(kind => mesh.RunClientAsync(CertificateOf(kind), "handshake", kind)));
            await mesh.RunClientAsync(certificate, "refusals");
        }

        // The program has ended, its last line may not have been written: that line says that the descriptor is closed.
        string[] last = await mesh.RunClientAsync(certificate, "handshake", "garbage");
        await mesh.Node.WaitForLogAsync($"src.addr={mesh.Client.Address}:{last[0].Split(' ')[1]} ");
        int after = mesh.Node.OpenDescriptors;
        Assert.True(after <= before, string.Create(CultureInfo.InvariantCulture, $"{before} descriptors before, {after} after"));
    }

    private string CertificateOf(string kind) => kind switch
    {
        "foreign" => InteropMember.WriteCertificate(mesh.Folder, kind, TestAuthority.Create("O=elsewhere").Issue(mesh.Client.Identity)),
        "namesake" => InteropMember.WriteCertificate(mesh.Folder, kind, TestAuthority.Create().Issue(mesh.Client.Identity)),
        "expired" => mesh.Certify(kind, new LeafOptions { NotAfter = DateTimeOffset.UtcNow.AddMinutes(-1) }, mesh.Client.Identity),
        "server-only" => mesh.Certify(kind, new LeafOptions { ExtendedKeyUsages = [LeafOptions.ServerAuth] }, mesh.Client.Identity),
        "alien" => mesh.Certify(kind, "spiffe://elsewhere.test/ns/default/sa/client"),
        _ => mesh.Certify("client", mesh.Client.Identity),
    };
}
