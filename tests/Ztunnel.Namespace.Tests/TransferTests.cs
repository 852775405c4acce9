using System.Globalization;
using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Namespace.Tests;

/// <summary>What goes in comes out: digests over real namespaces, from one byte to a gibibyte, both directions at once.</summary>
[Collection(MeshCollection.Name)]
public sealed class TransferTests(MeshFixture mesh)
{
    // Two cores carry two digests, two ciphers and four relays: the largest transfer takes about half a minute alone on them.
    private static readonly TimeSpan LargestLimit = TimeSpan.FromSeconds(180);

    [NamespaceTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16384)]
    [InlineData(16385)]
    [InlineData(1_000_003)]
    [InlineData(67_108_864)]
    [InlineData(1_073_741_824)]
    public async Task Tunnel_BothDirectionsAtOnce_IsByteIdentical(long bytes)
    {
        Assert.Equal("ok", await mesh.Client.RunAsync("transfer", mesh.Server.Address, 8081, Text(bytes), LargestLimit));
    }

    [NamespaceTheory]
    [InlineData(1)]
    [InlineData(67_108_864)]
    public async Task Passthrough_BothDirectionsAtOnce_IsByteIdentical(long bytes)
    {
        Assert.Equal("ok", await mesh.Outsider.RunAsync("transfer", mesh.Server.Address, 8081, Text(bytes), LargestLimit));
        Assert.Equal("ok", await mesh.Client.RunAsync("transfer", mesh.Outsider.Address, 8081, Text(bytes), LargestLimit));
    }

    [NamespaceFact]
    public async Task Tunnel_SlowReader_HoldsTheSenderBackAndLosesNothing()
    {
        Assert.Equal("ok", await mesh.Client.RunAsync("upload", mesh.Server.Address, 8085, Text(16 * 1024 * 1024)));
    }

    [NamespaceFact]
    public async Task Tunnel_SlowReaderBesideOthers_StopsNobody()
    {
        Task<string> slow = mesh.Client.RunAsync("upload", mesh.Server.Address, 8085, Text(24 * 1024 * 1024));

        Assert.Equal("ok", await mesh.Client.RunAsync("transfer", mesh.Server.Address, 8081, Text(16 * 1024 * 1024)));
        Assert.False(slow.IsCompleted, "the slow reader was not slow: this test has shown nothing");
        Assert.Equal("ok", await slow);
    }

    [NamespaceFact]
    public async Task Connections_AThousandAtOnce_AllGetTheirAnswer()
    {
        Assert.Equal("1000 ok", await mesh.Client.RunAsync("parallel", mesh.Server.Address, 8080, "1000", TimeSpan.FromSeconds(90)));
        Assert.Equal("1000 ok", await mesh.Client.RunAsync("parallel", MeshFile.Vip, 80, "1000", TimeSpan.FromSeconds(90)));
    }

    private static string Text(long bytes) => bytes.ToString(CultureInfo.InvariantCulture);
}
