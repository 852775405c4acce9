using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Faults;

/// <summary>A tunnel over a wire that loses, delays, reorders and doubles frames (tests/faults.md): applications wait longer, and get every byte once.</summary>
[Collection(FaultCollection.Name)]
public sealed class BadWireTests(FaultMesh mesh)
{
    private static readonly TimeSpan TransferLimit = TimeSpan.FromSeconds(90);

    /// <param name="loss">Of a hundred frames each way.</param>
    /// <param name="doubled">Of a hundred.</param>
    /// <param name="late">Of a hundred: overtaken by those behind them.</param>
    /// <param name="milliseconds">Each way.</param>
    /// <param name="bytes">In both directions at once.</param>
    [NamespaceTheory]
    [InlineData(0, 0, 0, 20, 1_500_003)]
    [InlineData(1, 3, 3, 3, 1_000_003)]
    [InlineData(8, 0, 0, 1, 200_003)]
    public async Task Transfer_OverABadWire_IsByteIdentical(int loss, int doubled, int late, int milliseconds, long bytes)
    {
        using TestProcess wire = mesh.Bridge.Start("/usr/bin/python3", TestPod.Program("wire.py"), "wire0", "wire1", $"{loss}", $"{doubled}", $"{late}", $"{milliseconds}");
        await wire.WaitForLineAsync(static line => line == "ready");
        using var far = new TestPod(TestNamespace.Create("flt-far"), "far", "node-1", "10.220.0.2", "fd00:220::2");
        Join(mesh.Client.Namespace, "wire0", "10.220.0.1/24");
        Join(far.Namespace, "wire1", far.Address + "/24");
        try
        {
            await far.StartServerAsync();
            await Task.Run(() => TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, "redirect", "install", "--netns", far.Namespace.Path, "--dns-capture", "false").EnsureSucceeded());
            mesh.WriteMesh(far);
            await mesh.StartAsync(far);
            int lines = mesh.Ztunnel(mesh.Client).Output.Split('\n').Length;
            await UntilTunnelledAsync(far, lines);

            Assert.Equal("ok", await mesh.Client.RunAsync("transfer", far.Address, 8081, $"{bytes}", TransferLimit));
            Assert.Equal("20 ok", await mesh.Client.RunAsync("parallel", far.Address, 8080, "20", TransferLimit));
        }
        finally
        {
            mesh.Stop(far);
            mesh.WriteMesh();
        }
    }

    // The client's proxy follows the mesh file: until it has read it the connection goes past the tunnel.
    private async Task UntilTunnelledAsync(TestPod far, int lines)
    {
        using var limit = new CancellationTokenSource(TransferLimit);
        do
        {
            limit.Token.ThrowIfCancellationRequested();
            Assert.Equal("answer hellohello", await mesh.AskAsync(far));
        }
        while (!mesh.Ztunnel(mesh.Client).Output.Split('\n')[lines..].Any(line => line.Contains($"dst.hbone_addr={far.Address}:8080", StringComparison.Ordinal)));
    }

    private void Join(TestNamespace pod, string device, string address)
    {
        mesh.Bridge.Run("ip", "link", "set", device, "netns", pod.Name);
        pod.Run("ip", "address", "add", address, "dev", device);
        pod.Run("ip", "link", "set", device, "up");
    }
}
