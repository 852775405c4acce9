using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Network;

/// <summary>
/// Two nodes on one bridge, a native ztunnel each, their pods captured by `ztunnel redirect install`; one pod outside. Made once for all tests of the collection.
/// </summary>
public sealed class MeshFixture : IAsyncLifetime
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"zt-mesh-{Environment.ProcessId}");
    private readonly List<TestPod> _pods = [];
    private TestNamespace? _bridge;

    internal TestNode Node1 { get; private set; } = null!;

    internal TestNode Node2 { get; private set; } = null!;

    /// <summary>Captured, on node 1: where most connections begin.</summary>
    internal TestPod Client { get; private set; } = null!;

    /// <summary>Captured, on node 1 beside the client.</summary>
    internal TestPod Local { get; private set; } = null!;

    /// <summary>Captured, on node 1, of another trust domain.</summary>
    internal TestPod Alien { get; private set; } = null!;

    /// <summary>Captured, on node 2: the two endpoints of the service.</summary>
    internal TestPod Server { get; private set; } = null!;

    internal TestPod Server2 { get; private set; } = null!;

    /// <summary>Captured, on node 2, behind an ALLOW policy.</summary>
    internal TestPod Guarded { get; private set; } = null!;

    /// <summary>Not captured, on no node.</summary>
    internal TestPod Outsider { get; private set; } = null!;

    internal MeshFile Mesh { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (NamespaceSupport.MissingReason is not null)
            return;

        Directory.CreateDirectory(_folder);
        Mesh = new MeshFile(Path.Combine(_folder, "mesh.yaml"));
        MakeNetwork();
        await Task.WhenAll(_pods.Where(static pod => pod.Name is not ("client" or "alien")).Select(static pod => pod.StartServerAsync()));
        WriteMesh("local");
        await Task.WhenAll(_pods.Where(static pod => pod.Node != "").Select(static pod => CaptureAsync(pod)));
        foreach (TestNode node in (TestNode[])[Node1, Node2])
        {
            node.WritePods(_pods);
            await node.StartAsync(Mesh.Path);
        }
    }

    /// <summary>Puts the mesh file in place anew; `guarded` lets these service accounts in.</summary>
    public void WriteMesh(params string[] guardedAllows) => Mesh.Write(_pods, guardedAllows);

    public Task DisposeAsync()
    {
        Node1?.Dispose();
        Node2?.Dispose();
        _pods.ForEach(static pod => pod.Dispose());
        _bridge?.Dispose();
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    private void MakeNetwork()
    {
        _bridge = TestNamespace.Create("bridge");
        _bridge.AddBridge("10.211.0.254/16", "fd00:211::fe/64");
        Node1 = new TestNode(Attach("node1", 1, 254), "node-1", _folder);
        Node2 = new TestNode(Attach("node2", 2, 254), "node-2", _folder);
        Client = AddPod("client", 1, 1);
        Local = AddPod("local", 1, 2);
        Alien = AddPod("alien", 1, 3);
        Server = AddPod("server", 2, 1);
        Server2 = AddPod("server2", 2, 2);
        Guarded = AddPod("guarded", 2, 3);
        Outsider = AddPod("outsider", 9, 1);
    }

    private TestPod AddPod(string name, int node, int number)
    {
        var pod = new TestPod(Attach(name, node, number), name, node == 9 ? "" : $"node-{node}", $"10.211.{node}.{number}", $"fd00:211::{node}:{number}");
        _pods.Add(pod);
        return pod;
    }

    private TestNamespace Attach(string name, int node, int number)
    {
        TestNamespace added = TestNamespace.Create(name);
        added.ConnectTo(_bridge!, "eth0", $"v-{name}", [$"10.211.{node}.{number}/16", $"fd00:211::{node}:{number}/64"], []);
        _bridge!.Run("ip", "link", "set", $"v-{name}", "master", "br0");
        // Addresses of services are captured on their way out, so there must be a way out.
        added.Run("ip", "route", "add", "default", "via", "10.211.0.254");
        added.Run("ip", "-6", "route", "add", "default", "via", "fd00:211::fe");
        return added;
    }

    private static Task CaptureAsync(TestPod pod) => Task.Run(() =>
        TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, "redirect", "install", "--netns", pod.Namespace.Path, "--dns-capture", "false").EnsureSucceeded());
}

/// <summary>The tests that share one network; they run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class MeshCollection : ICollectionFixture<MeshFixture>
{
    public const string Name = "mesh";
}
