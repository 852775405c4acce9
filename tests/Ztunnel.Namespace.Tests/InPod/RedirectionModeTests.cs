using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Namespace.Tests.InPod;

/// <summary>The same traffic over every way to redirect it, from `ztunnel agent` to the application and back.</summary>
public sealed class RedirectionModeTests
{
    [NamespaceTheory]
    [InlineData("iptables", "redirect")]
    [InlineData("iptables", "tproxy")]
    [InlineData("nftables", "redirect")]
    [InlineData("nftables", "tproxy")]
    public async Task Traffic_EveryKind_IsCarriedOrSpared(string backend, string inbound)
    {
        await using InPodMesh mesh = await InPodMesh.CreateAsync();
        mesh.StartAgent(capturesDns: true, "--backend", backend, "--inbound", inbound);
        mesh.Node.Start(mesh.Socket, ("ISTIO_META_DNS_CAPTURE", "true"));
        await mesh.Node.WaitForLogAsync("marking server ready");

        // Between captured pods: by address and by service, both families; the application sees its client.
        foreach ((string host, int port, string seen) in ((string, int, string)[])
        [
            (mesh.Server.Address, 8084, mesh.Client.Address), (mesh.Server.Address6, 8084, mesh.Client.Address6),
            (MeshFile.Vip, 84, mesh.Client.Address), (MeshFile.Vip6, 84, mesh.Client.Address6),
        ])
            Assert.StartsWith(seen + " ", await mesh.Client.RunAsync("send", host, port, "x"), StringComparison.Ordinal);
        Assert.Equal(4, mesh.Node.CountInbound("mutual_tls"));

        // Names of the mesh, asked of a resolver that is not there, over both protocols and families.
        foreach (string[] how in (string[][])[["@10.213.0.254"], ["@10.213.0.254", "+tcp"], ["@fd00:213::fe"], ["@fd00:213::fe", "+tcp"]])
            Assert.Equal(MeshFile.Vip, (await Task.Run(() => mesh.Client.Namespace.Run("dig", ["+short", "+tries=1", "+timeout=5", .. how, MeshFile.Hostname]))).Trim());

        // A pod that calls itself through the service.
        Assert.Equal("selfself", await mesh.Server.RunAsync("send", MeshFile.Vip, 80, "self"));
        Assert.Equal("selfself", await mesh.Server.RunAsync("send", mesh.Server.Address, 8080, "self"));
        double tunnelled = mesh.Node.CountInbound("mutual_tls");

        // Plaintext from outside passes the proxy, still under its own address; the kubelet's probes do not pass it.
        Assert.StartsWith(mesh.Outsider.Address + " ", await mesh.Outsider.RunAsync("send", mesh.Server.Address, 8084, "x"), StringComparison.Ordinal);
        Assert.StartsWith(mesh.Outsider.Address6 + " ", await mesh.Outsider.RunAsync("send", mesh.Server.Address6, 8084, "x"), StringComparison.Ordinal);
        Assert.Equal(2, mesh.Node.CountInbound("unknown"));
        Assert.StartsWith(InPodMesh.ProbeAddress + " ", await mesh.Outsider.RunAsync("probe", mesh.Server.Address, 8084, InPodMesh.ProbeAddress), StringComparison.Ordinal);
        Assert.Equal(2, mesh.Node.CountInbound("unknown"));

        // Ingress mode: plaintext goes straight to the application, tunnels still come in.
        InPodMesh.Capture(mesh.Server, "--backend", backend, "--inbound", inbound, "--ingress-mode");
        Assert.StartsWith(mesh.Outsider.Address + " ", await mesh.Outsider.RunAsync("send", mesh.Server.Address, 8084, "x"), StringComparison.Ordinal);
        Assert.Equal(2, mesh.Node.CountInbound("unknown"));
        Assert.Equal("hihi", await mesh.Client.RunAsync("send", mesh.Server.Address, 8080, "hi"));
        Assert.Equal(tunnelled + 1, mesh.Node.CountInbound("mutual_tls"));
    }
}
