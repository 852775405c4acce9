using Ztunnel.Integration.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Integration.Tests;

/// <summary>
/// nghttpx as a forward proxy on the other side of a tunnel, in both roles: it takes our CONNECT over mutual TLS and hands it to an HTTP/1.1 proxy; and it turns the CONNECT of an HTTP/1.1 client into
/// one over mutual TLS to our port 15008. It has no half-closed tunnels (it ends the other half at once), so these programs end when they have all bytes; half-close is the Python peers' subject.
/// </summary>
[Collection(InteropCollection.Name)]
public sealed class NghttpxTests(InteropMesh mesh)
{
    private const int ForwardPort = 3128;
    private const int FrontPort = 3129;

    [NamespaceFact]
    public async Task Client_ConnectsThroughNghttpx()
    {
        using TestProcess next = await mesh.StartForwardProxyAsync(ForwardPort);
        string certificate = mesh.Certify("nghttpx", mesh.NghttpX.Identity);
        using TestProcess proxy = await StartAsync(
            [$"--frontend={mesh.NghttpX.Address},15008", $"--backend=127.0.0.1,{ForwardPort}", "--verify-client", $"--verify-client-cacert={mesh.RootFile}", certificate, certificate]);

        // The port tells the last program how many bytes to echo.
        Assert.Equal("same", await InteropMesh.CallAsync(mesh.Node, mesh.NghttpX.Address, 50_000, 50_000, "count"));

        string head = await next.WaitForLineAsync(static line => line.StartsWith("head ", StringComparison.Ordinal));
        Assert.StartsWith($"head CONNECT {mesh.NghttpX.Address}:50000 HTTP/1.1|", head, StringComparison.Ordinal);
        Assert.Contains("baggage: k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=app,", head, StringComparison.OrdinalIgnoreCase);
        await mesh.Node.WaitForLogAsync($"dst.hbone_addr={mesh.NghttpX.Address}:50000", $"dst.identity=\"{mesh.NghttpX.Identity}\"", "bytes_sent=50000 bytes_recv=50000");
    }

    [NamespaceFact]
    public async Task Server_IsReachedThroughNghttpx()
    {
        string certificate = mesh.Certify("client", mesh.Client.Identity);
        using TestProcess proxy = await StartAsync(
            [
                $"--frontend=127.0.0.1,{FrontPort};no-tls", $"--backend={mesh.Node.Member.Address},15008;;proto=h2;tls", "--insecure",
                $"--client-cert-file={certificate}", $"--client-private-key-file={certificate}",
            ]);

        string[] lines = await mesh.RunClientAsync(certificate, "http1", $"{FrontPort}");

        Assert.Equal(["HTTP/1.1 200 OK", "same 300000"], lines);
        await mesh.Node.WaitForLogAsync($"src.identity=\"{mesh.Client.Identity}\"", $"dst.hbone_addr={mesh.Node.Member.Address}:8080", "bytes_sent=300000 bytes_recv=300000");
    }

    private async Task<TestProcess> StartAsync(string[] options)
    {
        // The key stands before the certificates in our files, and both options read what they need.
        TestProcess proxy = mesh.StartForeign(
            "nghttpx", ["--conf=/dev/null", "--http2-proxy", "--workers=1", "--log-level=NOTICE", "--errorlog-file=/dev/stderr", "--tls-min-proto-version=TLSv1.3", .. options]);
        await proxy.WaitForLineAsync(static line => line.Contains("Listening on", StringComparison.OrdinalIgnoreCase));
        return proxy;
    }
}
