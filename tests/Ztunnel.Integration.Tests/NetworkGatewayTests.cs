using Ztunnel.Integration.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Integration.Tests;

/// <summary>
/// A service of another network behind a foreign gateway (data-path 2.6, 3.9; istio-integration 6.4): Python's ssl and h2 end the outer tunnel, and pass the inner one on to our proxy of the other
/// network.
/// </summary>
[Collection(InteropCollection.Name)]
public sealed class NetworkGatewayTests(InteropMesh mesh)
{
    private const string Authority = InteropMesh.RemoteHostname + ":80";

    [NamespaceFact]
    public async Task Connections_ShareTheOuterTunnel_AndHaveAnInnerOneEach()
    {
        using TestProcess gateway = await mesh.StartGatewayAsync();

        Assert.Equal("same", await InteropMesh.CallAsync(mesh.Node, InteropMesh.RemoteVip, 80, 3_000_000));
        Assert.Equal("same", await InteropMesh.CallAsync(mesh.Node, InteropMesh.RemoteVip, 80, 5));

        // Ended in order, by both sides: the last bytes were not overtaken by a reset.
        await gateway.WaitForLineAsync(static line => line == "1 far end 3");
        string[] lines = InteropMesh.Lines(gateway.Output);
        Assert.Single(lines, static line => line.EndsWith(" accepted", StringComparison.Ordinal));
        Assert.Contains($"1 tls {mesh.Node.Member.Identity} TLSv1.3 h2", lines);
        Assert.Contains("1 end 1", lines);
        Assert.DoesNotContain(lines, static line => line.Contains(" reset ", StringComparison.Ordinal));
        string[] requests = [.. lines.Where(static line => line.StartsWith("1 request ", StringComparison.Ordinal))];
        Assert.Equal(2, requests.Length);
        Assert.All(requests, static request => Assert.Contains($":method=CONNECT|:authority={Authority}|baggage=", request, StringComparison.Ordinal));
        Assert.All(requests, static request => Assert.Contains($";host={InteropMesh.RemoteHostname}|traceparent=", request, StringComparison.Ordinal));
        Assert.All(requests, static request => Assert.DoesNotContain("x-forwarded-network", request, StringComparison.Ordinal));

        // The workload itself says who it is; its proxy sees the client's identity, and takes its name from the baggage, since the address is the gateway's.
        string source = await mesh.Node.WaitForLogAsync($"dst.addr={mesh.Gateway.Address}:15008", "bytes_sent=3000000 bytes_recv=3000000");
        Assert.Contains($"dst.hbone_addr={Authority} dst.service=\"{InteropMesh.RemoteHostname}\" dst.workload=\"far\"", source, StringComparison.Ordinal);
        Assert.Contains($"dst.identity=\"{mesh.FarNode.Member.Identity}\"", source, StringComparison.Ordinal);
        string destination = await mesh.FarNode.WaitForLogAsync($"dst.hbone_addr={Authority}", "bytes_sent=3000000 bytes_recv=3000000");
        Assert.Contains($"src.workload=\"app\" src.namespace=\"default\" src.identity=\"{mesh.Node.Member.Identity}\"", destination, StringComparison.Ordinal);
    }

    /// <summary>Of the inner tunnel only the identities that the service names are accepted, whoever the gateway leads to.</summary>
    [NamespaceFact]
    public async Task WorkloadBehindTheGateway_WithAnotherIdentity_IsRefused()
    {
        using TestProcess gateway = await mesh.StartGatewayAsync();

        Assert.Equal("reset", await InteropMesh.CallAsync(mesh.Node, InteropMesh.MisledVip, 80, 5));

        await mesh.Node.WaitForLogAsync(
            $"dst.addr={mesh.Gateway.Address}:15008", $"peer did not present the expected SAN ({InteropMember.IdentityOf("somebody")}), got {mesh.FarNode.Member.Identity}", "reason=\"identity_rejected\"");
    }

    /// <summary>The gateway chooses a workload for every stream: a failure behind it is worth another stream, and does not speak against the gateway.</summary>
    [NamespaceFact]
    public async Task FirstWorkloadFails_TheSecondStreamServes()
    {
        using TestProcess gateway = await mesh.StartGatewayAsync("drop");

        Assert.Equal("same", await InteropMesh.CallAsync(mesh.Node, InteropMesh.RemoteVip, 80, 1234));

        string line = await mesh.Node.WaitForLogAsync($"dst.hbone_addr={Authority}", "bytes_sent=1234 bytes_recv=1234", "attempts=2");
        Assert.DoesNotContain("error=", line, StringComparison.Ordinal);
    }
}
