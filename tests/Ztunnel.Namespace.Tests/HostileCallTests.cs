using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Namespace.Tests;

/// <summary>
/// Calls that nobody means well: to the proxy's own ports, from a captured and an uncaptured pod, to the node, to a pod, to oneself (data-path 10.2, malicious calls).
/// None may reach an application, loop or hang, and none may leave anything behind.
/// </summary>
[Collection(MeshCollection.Name)]
public sealed class HostileCallTests(MeshFixture mesh)
{
    public static TheoryData<string, string, int, string[]> Calls => new()
    {
        // To the proxy's ports of another pod. Redirected to 15006 with the port as original destination, or carried there in a CONNECT: refused either way.
        { "client", "server", 15001, ["reset"] },
        { "client", "server", 15006, ["reset"] },
        { "client", "server", 15008, ["reset"] },
        { "outsider", "server", 15001, ["reset"] },
        { "outsider", "server", 15006, ["reset"] },

        // The HBONE port itself takes TLS only: an alert, or nothing, and the end.
        { "outsider", "server", 15008, ["reset", "eof", "data"] },

        // Admin, metrics and readiness belong to the node, not to the pod.
        { "outsider", "server", 15000, ["reset"] },
        { "outsider", "server", 15020, ["reset"] },
        { "outsider", "server", 15021, ["reset"] },
        { "outsider", "server", 15080, ["reset"] },
        { "client", "server", 15020, ["reset"] },

        // To the proxy's ports in one's own pod.
        { "client", "self", 15001, ["reset", "eof"] },
        { "client", "self", 15006, ["reset", "eof"] },
        { "client", "self", 15008, ["reset", "eof", "data"] },
        { "client", "self", 15000, ["refused"] },
        { "client", "loopback", 15001, ["reset", "eof"] },
        { "client", "loopback", 15006, ["reset", "eof"] },
        { "client", "loopback", 15008, ["reset", "eof", "data"] },
        { "client", "loopback", 15000, ["refused"] },

        // To the node's own ports: the admin port is on loopback, metrics and readiness answer garbage with an HTTP error.
        { "outsider", "node", 15000, ["refused"] },
        { "outsider", "node", 15001, ["refused"] },
        { "outsider", "node", 15006, ["refused"] },
        { "outsider", "node", 15020, ["data"] },
        { "outsider", "node", 15021, ["data"] },
        { "client", "node", 15000, ["reset"] },
        { "client", "node", 15020, ["data"] },
    };

    [NamespaceTheory]
    [MemberData(nameof(Calls))]
    public async Task Call_ToAPortOfTheProxy_ReachesNobody(string caller, string target, int port, string[] allowed)
    {
        TestPod from = caller == "client" ? mesh.Client : mesh.Outsider;
        string address = target switch
        {
            "server" => mesh.Server.Address,
            "self" => from.Address,
            "node" => "10.211.1.254",
            _ => "127.0.0.1",
        };

        string outcome = await from.RunAsync("raw", address, port);

        Assert.Contains(outcome.Split(' ')[0], allowed);
        if (target == "node" && outcome.StartsWith("data", StringComparison.Ordinal))
            Assert.Contains("HTTP/1.1 400", outcome, StringComparison.Ordinal);
        Assert.Equal("stillstill", await mesh.Client.RunAsync("send", mesh.Server.Address, 8080, "still"));
    }

    [NamespaceFact]
    public async Task Calls_Repeated_LeaveNoDescriptorBehind()
    {
        await mesh.Client.RunAsync("send", mesh.Server.Address, 8080, "warm");
        double before = await ReadOpenDescriptorsAsync();

        for (int round = 0; round < 20; round++)
        {
            await mesh.Outsider.RunAsync("raw", mesh.Server.Address, 15001);
            await mesh.Outsider.RunAsync("raw", mesh.Server.Address, 15008);
        }

        double after = await ReadOpenDescriptorsAsync();
        Assert.True(after <= before + 4, $"{before} descriptors before 40 hostile calls, {after} after");
    }

    private async Task<double> ReadOpenDescriptorsAsync()
    {
        string scrape = await Task.Run(() => mesh.Node2.Namespace.Run("curl", "-sS", "--max-time", "5", "http://127.0.0.1:15020/metrics"));
        string line = scrape.Split('\n').Single(static line => line.StartsWith("process_open_fds ", StringComparison.Ordinal));
        return double.Parse(line.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
    }
}
