using Ztunnel.Testing.Processes;

namespace Ztunnel.Testing.Namespaces;

/// <summary>A network namespace of one test, with its loopback up; removed when disposed.</summary>
public sealed class TestNamespace : IDisposable
{
    private static int CreatedCount;

    private TestNamespace(string name)
    {
        Name = name;
    }

    public string Name { get; }

    /// <summary>What `nsenter --net=` and our own options take.</summary>
    public string Path => "/run/netns/" + Name;

    /// <summary>The name holds the process id: two test runs on one machine do not meet.</summary>
    public static TestNamespace Create(string purpose)
    {
        var created = new TestNamespace($"zt-{purpose}-{Environment.ProcessId}-{Interlocked.Increment(ref CreatedCount)}");
        TestCommand.Run("ip", "netns", "add", created.Name).EnsureSucceeded();
        created.Run("ip", "link", "set", "lo", "up");
        return created;
    }

    /// <summary>Runs a command inside and returns its output; throws where it fails.</summary>
    public string Run(string program, params string[] arguments) =>
        TryRun(program, arguments).EnsureSucceeded().Output;

    public CommandResult TryRun(string program, params string[] arguments) =>
        TestCommand.Run("ip", ["netns", "exec", Name, program, .. arguments]);

    /// <summary>Starts a program inside that runs until it is disposed.</summary>
    public TestProcess Start(string program, params string[] arguments) =>
        TestProcess.Start("ip", ["netns", "exec", Name, program, .. arguments]);

    /// <summary>
    /// A bridge "br0" with addresses, up. Its own link-layer address is fixed: else it is the lowest of its ports' and changes as they come and go,
    /// and whoever knows the former one talks to nobody for six seconds (arp(7)), which looks like a proxy that has lost packets.
    /// </summary>
    public void AddBridge(params string[] addresses)
    {
        Run("ip", "link", "add", "br0", "address", "02:00:00:00:00:01", "type", "bridge");
        BringUp("br0", addresses);
    }

    /// <summary>A veth pair between two namespaces, both ends up; addresses are "10.0.0.1/24" or "fd00::1/64".</summary>
    public void ConnectTo(TestNamespace peer, string ownInterface, string peerInterface, string[] ownAddresses, string[] peerAddresses)
    {
        TestCommand.Run("ip", "link", "add", ownInterface, "netns", Name, "type", "veth", "peer", "name", peerInterface, "netns", peer.Name).EnsureSucceeded();
        BringUp(ownInterface, ownAddresses);
        peer.BringUp(peerInterface, peerAddresses);
    }

    public void Dispose()
    {
        TestCommand.Run("ip", "netns", "delete", Name);
    }

    private void BringUp(string device, string[] addresses)
    {
        foreach (string address in addresses)
        {
            // No duplicate address detection: a test would wait two seconds for it.
            Run("ip", address.Contains(':') ? ["address", "add", address, "dev", device, "nodad"] : ["address", "add", address, "dev", device]);
        }

        Run("ip", "link", "set", device, "up");
    }
}
