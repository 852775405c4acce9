using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Faults;

/// <summary>
/// One client and several servers, each captured by a native ztunnel of its own (dedicated mode), on one bridge: a fault that befalls one server leaves the others as they are.
/// The faults that take half a minute to be noticed are set off when all is ready, and looked at by the tests meanwhile.
/// </summary>
public sealed class FaultMesh : IAsyncLifetime
{
    // A PING every 10 s, given up after 20 s without an answer (reference, fact 14), and a busy machine.
    public static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(45);

    private readonly string _folder = Directory.CreateTempSubdirectory("zt-faults-").FullName;
    private readonly List<TestPod> _pods = [];
    private readonly Dictionary<string, TestProcess> _ztunnels = [];
    private readonly List<TestProcess> _others = [];
    private TestNamespace? _bridge;

    internal TestPod Client { get; private set; } = null!;

    /// <summary>Nothing ever happens to it.</summary>
    internal TestPod Well { get; private set; } = null!;

    /// <summary>Its link goes down for good.</summary>
    internal TestPod Unplugged { get; private set; } = null!;

    /// <summary>Its proxy is stopped for longer than peers wait.</summary>
    internal TestPod Frozen { get; private set; } = null!;

    /// <summary>For whatever a single test does to a server.</summary>
    internal TestPod Victim { get; private set; } = null!;

    /// <summary>Not captured.</summary>
    internal TestPod Outsider { get; private set; } = null!;

    /// <summary>Connections to <see cref="Unplugged"/> and <see cref="Frozen"/> that were open and quiet when it happened.</summary>
    internal TestProcess UnpluggedConnection { get; private set; } = null!;

    internal TestProcess FrozenConnection { get; private set; } = null!;

    internal string Folder => _folder;

    internal TestNamespace Bridge => _bridge!;

    internal TestProcess Ztunnel(TestPod pod) => _ztunnels[pod.Name];

    public async Task InitializeAsync()
    {
        if (NamespaceSupport.MissingReason is not null)
            return;

        _bridge = TestNamespace.Create("flt-bridge");
        _bridge.AddBridge();
        Client = AddPod("client", 1);
        Well = AddPod("well", 2);
        Unplugged = AddPod("unplugged", 3);
        Frozen = AddPod("frozen", 4);
        Victim = AddPod("victim", 5);
        Outsider = AddPod("outsider", 9, node: "");
        WriteMesh();
        TestPod[] captured = [.. _pods.Where(static pod => pod.Node != "")];
        await Task.WhenAll(captured.Select(static pod => MakeReadyAsync(pod)));
        await Task.WhenAll(captured.Select(pod => StartAsync(pod)));

        UnpluggedConnection = await OpenAsync("watch", Unplugged, 8080, "open");
        FrozenConnection = await OpenAsync("watch", Frozen, 8080, "open");
        _bridge.Run("ip", "link", "set", LinkOf(Unplugged), "down");
        Ztunnel(Frozen).Signal("STOP");
    }

    /// <summary>Starts the ztunnel of a pod and waits until it serves.</summary>
    internal async Task<TestProcess> StartAsync(TestPod pod, string[]? through = null, params (string Name, string Value)[] more)
    {
        TestProcess started = Start(pod, through ?? [], more);
        await started.WaitForLineAsync(static line => line.Contains("marking server ready", StringComparison.Ordinal), SilenceLimit);
        return started;
    }

    /// <summary>Starts it in place of the one that ran, through a command if need be.</summary>
    internal TestProcess Start(TestPod pod, string[] through, params (string Name, string Value)[] more)
    {
        Stop(pod);
        return _ztunnels[pod.Name] = DedicatedZtunnel.Start(pod, _folder, through, more);
    }

    internal void Stop(TestPod pod)
    {
        if (_ztunnels.Remove(pod.Name, out TestProcess? running))
            running.Dispose();
    }

    /// <summary>A verb of client.py that has come as far as this line.</summary>
    internal async Task<TestProcess> OpenAsync(string verb, TestPod to, int port, string line)
    {
        TestProcess started = Client.Start(verb, to.Address, port);
        _others.Add(started);
        await started.WaitForLineAsync(each => each == line);
        return started;
    }

    internal Task<string> AskAsync(TestPod to) => Client.RunAsync("ask", to.Address, 8080, "hello", TimeSpan.FromSeconds(60));

    /// <summary>One family of a pod's proxy, summed over the series with these labels.</summary>
    internal static async Task<double> ReadMetricAsync(TestPod pod, string family, params string[] labels) =>
        TestNode.SumOf(await Task.Run(() => pod.Namespace.Run("curl", "-sS", "--max-time", "5", "http://127.0.0.1:15020/metrics")), family, labels);

    internal static string LinkOf(TestPod pod) => "f-" + pod.Name;

    public Task DisposeAsync()
    {
        foreach ((string name, TestProcess ztunnel) in _ztunnels)
        {
            // What a failed test is looked into with.
            File.WriteAllText(Path.Combine(AppContext.BaseDirectory, $"faults-{name}.log"), ztunnel.Output + ztunnel.Error);
            ztunnel.Dispose();
        }

        _others.ForEach(static process => process.Dispose());
        _pods.ForEach(static pod => pod.Dispose());
        _bridge?.Dispose();
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    /// <summary>Puts the mesh file in place anew, with another address of one pod if given.</summary>
    internal void WriteMesh(params TestPod[] besides) => new MeshFile(Path.Combine(_folder, "mesh.yaml")).Write([.. _pods, .. besides], "nobody");

    private static async Task MakeReadyAsync(TestPod pod)
    {
        await pod.StartServerAsync();
        await Task.Run(() => TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, "redirect", "install", "--netns", pod.Namespace.Path, "--dns-capture", "false").EnsureSucceeded());
    }

    private TestPod AddPod(string name, int number, string node = "node-1")
    {
        TestNamespace added = TestNamespace.Create("flt-" + name);
        added.ConnectTo(_bridge!, "eth0", "f-" + name, [$"10.219.0.{number}/16", $"fd00:219::{number}/64"], []);
        _bridge!.Run("ip", "link", "set", "f-" + name, "master", "br0");
        var pod = new TestPod(added, name, node, $"10.219.0.{number}", $"fd00:219::{number}");
        _pods.Add(pod);
        return pod;
    }
}

/// <summary>The tests that share the faulty network; they run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class FaultCollection : ICollectionFixture<FaultMesh>
{
    public const string Name = "faults";
}
