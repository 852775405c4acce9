using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Dedicated;

/// <summary>
/// Dedicated mode: one native ztunnel in each captured pod's own namespace (data-path 1.2). The client's runs all the time; every test starts the server's as it needs it.
/// </summary>
public sealed class DedicatedMesh : IAsyncLifetime
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"zt-dedicated-{Environment.ProcessId}");
    private readonly List<TestPod> _pods = [];
    private TestNamespace? _bridge;

    /// <summary>Captured.</summary>
    internal TestPod Client { get; private set; } = null!;

    /// <summary>Captured whenever its ztunnel runs.</summary>
    internal TestPod Server { get; private set; } = null!;

    /// <summary>Not captured.</summary>
    internal TestPod Outsider { get; private set; } = null!;

    internal TestProcess ClientZtunnel { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (NamespaceSupport.MissingReason is not null)
            return;

        Directory.CreateDirectory(_folder);
        _bridge = TestNamespace.Create("ded-bridge");
        _bridge.AddBridge();
        Client = AddPod("client", "10.217.0.1", "node-1");
        Server = AddPod("server", "10.217.0.2", "node-1");
        Outsider = AddPod("outsider", "10.217.0.3", "");
        new MeshFile(Path.Combine(_folder, "mesh.yaml")).Write(_pods, "nobody");
        foreach (TestPod pod in (TestPod[])[Client, Server])
            await Task.Run(() => TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, "redirect", "install", "--netns", pod.Namespace.Path, "--dns-capture", "false").EnsureSucceeded());
        await Task.WhenAll(Server.StartServerAsync(), Outsider.StartServerAsync());
        ClientZtunnel = await StartReadyAsync(Client);
    }

    /// <summary>Starts the ztunnel of a pod and waits until it serves.</summary>
    internal async Task<TestProcess> StartReadyAsync(TestPod pod, params (string Name, string Value)[] more)
    {
        TestProcess started = Start(pod, more);
        await started.WaitForLineAsync(static line => line.Contains("marking server ready", StringComparison.Ordinal));
        return started;
    }

    internal TestProcess Start(TestPod pod, params (string Name, string Value)[] more) => Start(pod, through: [], more);

    /// <param name="pod">Whose ztunnel it is.</param>
    /// <param name="through">A command that runs it.</param>
    /// <param name="more">Variables beside the usual ones.</param>
    internal TestProcess Start(TestPod pod, string[] through, params (string Name, string Value)[] more) =>
        DedicatedZtunnel.Start(pod, _folder, through, more);

    public Task DisposeAsync()
    {
        // What a failed test is looked into with.
        if (ClientZtunnel is not null)
            File.WriteAllText(Path.Combine(AppContext.BaseDirectory, "dedicated-client.log"), ClientZtunnel.Output);
        ClientZtunnel?.Dispose();
        _pods.ForEach(static pod => pod.Dispose());
        _bridge?.Dispose();
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    private TestPod AddPod(string name, string address, string node)
    {
        TestNamespace added = TestNamespace.Create("ded-" + name);
        added.ConnectTo(_bridge!, "eth0", "d-" + name, [address + "/16", $"fd00:217::{address[^1]}/64"], []);
        _bridge!.Run("ip", "link", "set", "d-" + name, "master", "br0");
        var pod = new TestPod(added, name, node, address, $"fd00:217::{address[^1]}");
        _pods.Add(pod);
        return pod;
    }
}
