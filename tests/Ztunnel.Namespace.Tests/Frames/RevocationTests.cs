using System.Security.Cryptography.X509Certificates;
using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Namespace.Tests.Observability;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Frames;

/// <summary>Revoked certificates of clients and servers, at connect time and while connections live (data-path 6.4, 10.2).</summary>
[Collection(RecordedCollection.Name)]
public sealed class RevocationTests(RecordedNetwork network)
{
    private const string Rejections = "istio_crl_policy_rejections_total";

    // The file is watched, and changes that follow each other are taken together.
    private static readonly TimeSpan ReloadLimit = TimeSpan.FromSeconds(20);

    [NamespaceFact]
    public async Task Client_Revoked_IsRefusedAndCounted()
    {
        (string certificate, string roots, X509Certificate2 leaf) = network.Certify("a");
        await StartAsync(leaf);

        using TestProcess caller = StartCaller(certificate, roots);

        await caller.WaitForLineAsync(static line => line == "refused");
        await network.Proxy("b").WaitForLineAsync(static line => line.Contains("connection failed", StringComparison.Ordinal) && line.Contains("reason=\"certificate_revoked\"", StringComparison.Ordinal));
        Assert.Equal(1, await ReadRejectionsAsync("b", "destination"));
    }

    [NamespaceFact]
    public async Task Client_RevokedMeanwhile_ItsConnectionEndsAndIsCounted()
    {
        (string certificate, string roots, X509Certificate2 leaf) = network.Certify("a");
        await StartAsync();
        using TestProcess caller = StartCaller(certificate, roots);
        await caller.WaitForLineAsync(static line => line == "open 200");

        Revoke(leaf);

        await caller.WaitForLineAsync(static line => line == "ended", ReloadLimit);
        string line = await network.Proxy("b").WaitForLineAsync(static line => line.Contains("connection closed: peer certificate revoked by CRL", StringComparison.Ordinal));
        Assert.Contains("response_flags=\"CERT_REVOKED\"", line, StringComparison.Ordinal);
        Assert.Equal(1, await ReadRejectionsAsync("b", "destination"));
    }

    [NamespaceFact]
    public async Task Server_Revoked_IsRefusedAndCounted()
    {
        (string certificate, string roots, X509Certificate2 leaf) = network.Certify("c");
        await StartAsync(leaf);
        using TestProcess peer = await StartPeerAsync(certificate, roots);
        using TestProcess client = StartClient();

        await network.Proxy("a").WaitForLineAsync(static line => line.Contains("dst.hbone_addr=10.88.0.3:7000", StringComparison.Ordinal) && line.Contains("reason=\"certificate_revoked\"", StringComparison.Ordinal));
        Assert.Equal(1, await ReadRejectionsAsync("a", "source"));
    }

    [NamespaceFact]
    public async Task Server_RevokedMeanwhile_ConnectionsToItEndAndAreCounted()
    {
        (string certificate, string roots, X509Certificate2 leaf) = network.Certify("c");
        await StartAsync();
        using TestProcess peer = await StartPeerAsync(certificate, roots);
        using TestProcess client = StartClient();
        await client.WaitForLineAsync(static line => line == "open");

        Revoke(leaf);

        string line = await network.Proxy("a").WaitForLineAsync(static line => line.Contains("connection closed: peer certificate revoked by CRL", StringComparison.Ordinal), ReloadLimit);
        Assert.Contains("dst.hbone_addr=10.88.0.3:7000", line, StringComparison.Ordinal);
        Assert.Contains("response_flags=\"CERT_REVOKED\"", line, StringComparison.Ordinal);
        Assert.Equal(1, await ReadRejectionsAsync("a", "source"));
    }

    private string ListFile => network.PathOf("revoked.pem");

    private void Revoke(params X509Certificate2[] certificates)
    {
        File.WriteAllBytes(ListFile + ".new", network.Authority.Revoke(certificates));
        File.Move(ListFile + ".new", ListFile, overwrite: true);
    }

    private async Task StartAsync(params X509Certificate2[] revoked)
    {
        Revoke(revoked);
        await network.StartProxiesAsync(json: false, ("CRL_PATH", ListFile), ("ZTUNNEL_WORKER_THREADS", "1"));
    }

    private TestProcess StartCaller(string certificate, string roots) =>
        network.Pod("c").Start("/usr/bin/python3", TestPod.Program("caller.py"), "10.88.0.2", "10.88.0.2:8080", certificate, roots);

    private async Task<TestProcess> StartPeerAsync(string certificate, string roots)
    {
        TestProcess peer = network.Pod("c").Start("/usr/bin/python3", TestPod.Program("peer.py"), certificate, certificate, roots, "10.88.0.3=echoes");
        await peer.WaitForLineAsync(static line => line == "ready");
        return peer;
    }

    private TestProcess StartClient() => network.Pod("a").Start("/usr/bin/python3", TestPod.Program("client.py"), "echo", "10.88.0.3", "7000");

    private async Task<double> ReadRejectionsAsync(string pod, string reporter) =>
        TestNode.SumOf(await network.GetAsync(pod, "http://127.0.0.1:15020/metrics"), Rejections, $"reporter=\"{reporter}\"");
}
