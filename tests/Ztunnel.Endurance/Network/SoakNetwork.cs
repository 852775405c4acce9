using Ztunnel.Endurance.Churn;
using Ztunnel.Endurance.Load;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Endurance.Network;

/// <summary>Two nodes, their pods, somebody outside and the control plane, on one bridge.</summary>
/// <remarks>
/// <c>alpha</c>, <c>beta</c> (node-1), <c>gamma</c>, <c>delta</c> (node-2) stay for the whole run: what goes on between them may never fail. <c>early</c> and <c>late</c> come and go; <c>guarded</c> lets in whom its policy
/// names: alpha always, gamma now and then, beta never. <c>outside</c> is not in the mesh.
/// </remarks>
internal sealed class SoakNetwork : IAsyncDisposable
{
    public const string BridgeAddress = "10.214.0.254";
    public const int CertificateSeconds = 12;
    private static readonly TimeSpan StandInLimit = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("zt-soak-").FullName;
    private readonly SoakSettings _settings;
    private readonly Tally _tally;
    private readonly Resolver _resolver;
    private NodeProcess? _istiod;

    public SoakNetwork(SoakSettings settings, Tally tally)
    {
        _settings = settings;
        _tally = tally;
        Bridge = TestNamespace.Create("kbridge");
        Bridge.AddBridge($"{BridgeAddress}/16");
        _resolver = new Resolver(Bridge.Path);
        Nodes = [new SoakNode("node-1", "10.214.1.254", Bridge, _folder, settings, tally), new SoakNode("node-2", "10.214.2.254", Bridge, _folder, settings, tally)];
        Alpha = new SoakPod("alpha", "node-1", "10.214.1.1", Bridge);
        Beta = new SoakPod("beta", "node-1", "10.214.1.2", Bridge);
        Gamma = new SoakPod("gamma", "node-2", "10.214.2.1", Bridge);
        Delta = new SoakPod("delta", "node-2", "10.214.2.2", Bridge);
        Guarded = new SoakPod("guarded", "node-2", "10.214.2.3", Bridge);
        Outside = new SoakPod("outside", "", "10.214.9.1", Bridge);
        Passing = [new PassingPod("early", "node-1", "10.214.1.9"), new PassingPod("late", "node-2", "10.214.2.9")];
        foreach (PassingPod pod in Passing)
            pod.Pod = new SoakPod(pod.Name, pod.Node, pod.Address, Bridge);
        Mesh = new MeshState(Path.Combine(_folder, "mesh.yaml"));
    }

    public TestNamespace Bridge { get; }

    public SoakNode[] Nodes { get; }

    public SoakPod Alpha { get; }

    public SoakPod Beta { get; }

    public SoakPod Gamma { get; }

    public SoakPod Delta { get; }

    public SoakPod Guarded { get; }

    public SoakPod Outside { get; }

    public PassingPod[] Passing { get; }

    public MeshState Mesh { get; }

    public NodeProcess Istiod => _istiod!;

    public SoakPod[] Steady => [Alpha, Beta, Gamma, Delta];

    private IEnumerable<SoakPod> All => [.. Steady, Guarded, Outside, .. Passing.Select(static passing => passing.Pod).OfType<SoakPod>()];

    public async Task StartAsync()
    {
        Mesh.Write(All);
        WritePods();
        string istiodFolder = Path.Combine(_folder, "istiod");
        _istiod = NodeProcess.Start(
            "istiod", _tally, _settings.LogFolder, new Dictionary<string, string>(), "nsenter", $"--net={Bridge.Path}", "dotnet", Path.Combine(AppContext.BaseDirectory, "Ztunnel.Istiod.dll"), "--mesh", Mesh.Path, "--folder", istiodFolder, "--listen", $"{BridgeAddress}:15012");
        await _istiod.WaitForLineAsync("ready", StandInLimit);
        await Task.WhenAll(Nodes.Select(node => node.StartAsync(istiodFolder)));
        foreach (SoakPod pod in All)
            pod.StartApplication(_tally);
    }

    /// <summary>Tells the control plane what the mesh is now.</summary>
    public void WriteMesh() => Mesh.Write(All);

    /// <summary>Tells the node agents which pods there are now.</summary>
    public void WritePods()
    {
        foreach (SoakNode node in Nodes)
            node.WritePods(All);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (SoakPod pod in All)
            await pod.StopApplicationAsync();
        foreach (SoakNode node in Nodes)
            node.Dispose();
        _istiod?.Dispose();
        _resolver.Dispose();
        foreach (SoakPod pod in All)
            pod.Dispose();
        Bridge.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>A pod that comes and goes; null while it is away.</summary>
internal sealed class PassingPod(string name, string node, string address)
{
    public string Name => name;

    public string Node => node;

    public string Address => address;

    public volatile SoakPod? Pod;
}
