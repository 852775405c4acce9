using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.InPod;

/// <summary>One node with two pods and somebody outside, on one bridge; who captures the pods and tells ztunnel of them is the test's business. Made anew for each test.</summary>
internal sealed class InPodMesh : IAsyncDisposable
{
    public const string ProbeAddress = "169.254.7.127";

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"zt-ip-{Guid.NewGuid():N}"[..16]);
    private readonly List<TestPod> _pods = [];
    private readonly List<InPodNode> _nodes = [];
    private readonly List<TestProcess> _agents = [];
    private readonly TestNamespace _bridge = TestNamespace.Create("ipb");

    private InPodMesh()
    {
    }

    public TestPod Client { get; private set; } = null!;

    public TestPod Server { get; private set; } = null!;

    public TestPod Outsider { get; private set; } = null!;

    public InPodNode Node { get; private set; } = null!;

    public string Socket => Path.Combine(_folder, "zds.sock");

    public static async Task<InPodMesh> CreateAsync()
    {
        var mesh = new InPodMesh();
        try
        {
            Directory.CreateDirectory(mesh._folder);
            mesh.MakeNetwork();
            await Task.WhenAll(mesh.Server.StartServerAsync(), mesh.Outsider.StartServerAsync());
            return mesh;
        }
        catch
        {
            await mesh.DisposeAsync();
            throw;
        }
    }

    /// <summary>Another ztunnel pod of the same node, as a rolling upgrade starts it.</summary>
    public InPodNode AddNode()
    {
        TestNamespace network = TestNamespace.Create("ipn");
        var node = new InPodNode(network, _folder);
        _nodes.Add(node);
        return node;
    }

    /// <summary>Takes the rules away, as the node agent does when a pod leaves the mesh.</summary>
    public static void Release(TestPod pod) =>
        TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, ["redirect", "remove", "--netns", pod.Namespace.Path]).EnsureSucceeded();

    /// <summary>Installs the rules by hand, with these options of `ztunnel redirect install`.</summary>
    public static void Capture(TestPod pod, params string[] options) =>
        TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, ["redirect", "install", "--netns", pod.Namespace.Path, "--dns-capture", "false", .. options]).EnsureSucceeded();

    /// <summary>Runs `ztunnel agent` over both pods with these options.</summary>
    public TestProcess StartAgent(params string[] options) => StartAgent(capturesDns: false, options);

    public TestProcess StartAgent(bool capturesDns, params string[] options)
    {
        string list = Path.Combine(_folder, "pods.json");
        IEnumerable<string> entries = new[] { Client, Server }.Select(static pod =>
            $$"""{"uid": "{{pod.Name}}", "name": "{{pod.Name}}", "namespace": "default", "serviceAccount": "{{pod.Name}}", "netns": "{{pod.Namespace.Path}}"}""");
        File.WriteAllText(list, $"{{\"pods\": [{string.Join(", ", entries)}]}}");
        TestProcess agent = TestProcess.Start(TestNode.Binary, ["agent", "--pods", list, "--socket", Socket, "--dns-capture", capturesDns ? "true" : "false", .. options]);
        _agents.Add(agent);
        return agent;
    }

    public ValueTask DisposeAsync()
    {
        _nodes.ForEach(static node => node.Dispose());
        _agents.ForEach(static agent => agent.Dispose());
        _pods.ForEach(static pod => pod.Dispose());
        _bridge.Dispose();
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private void MakeNetwork()
    {
        _bridge.AddBridge("10.213.0.254/16", "fd00:213::fe/64");
        Client = AddPod("client", 1, "node-1");
        Server = AddPod("server", 2, "node-1");
        Outsider = AddPod("outsider", 3, "");
        // Where the kubelet's probes come from, after the host has translated their source.
        Outsider.Namespace.Run("ip", "address", "add", $"{ProbeAddress}/32", "dev", "eth0");
        Node = new InPodNode(Attach("ipz", 4), _folder);
        _nodes.Add(Node);
        WriteMesh(_pods);
    }

    /// <summary>What ztunnel is told of the mesh; it takes the change over while it runs.</summary>
    public void WriteMesh(params IEnumerable<TestPod> pods)
    {
        // ztunnel itself is a workload of the mesh: its metrics can be scraped through it.
        var self = new TestPod(Node.Namespace, "ztunnel", "node-1", "10.213.0.4", "fd00:213::4");
        new MeshFile(Path.Combine(_folder, "mesh.yaml")).Write([.. pods, self]);
    }

    /// <summary>The server as the mesh sees it while it is not enrolled: reached in plain text.</summary>
    public TestPod UnenrolledServer => new(Server.Namespace, Server.Name, Server.Node, Server.Address, Server.Address6) { IsEnrolled = false };

    private TestPod AddPod(string name, int number, string node)
    {
        var pod = new TestPod(Attach($"ip{name[0]}", number), name, node, $"10.213.0.{number}", $"fd00:213::{number}");
        _pods.Add(pod);
        return pod;
    }

    private TestNamespace Attach(string purpose, int number)
    {
        TestNamespace added = TestNamespace.Create(purpose);
        added.ConnectTo(_bridge, "eth0", $"v{number}", [$"10.213.0.{number}/16", $"fd00:213::{number}/64"], []);
        _bridge.Run("ip", "link", "set", $"v{number}", "master", "br0");
        added.Run("ip", "route", "add", "default", "via", "10.213.0.254");
        added.Run("ip", "-6", "route", "add", "default", "via", "fd00:213::fe");
        // Back to the probe address, which is on nobody's subnet.
        if (number != 3)
            added.Run("ip", "route", "add", $"{ProbeAddress}/32", "dev", "eth0");
        return added;
    }
}
