using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.ControlPlane;

/// <summary>A node with two captured pods, a machine outside the mesh, and a stand-in for istiod on the bridge between them that may come and go. Made for one test.</summary>
internal sealed class ControlPlaneNetwork : IDisposable
{
    private const string ControlAddress = "10.213.0.254";
    private const string Control = $"{ControlAddress}:15012";
    private static readonly TimeSpan StandInLimit = TimeSpan.FromSeconds(20);

    private readonly string _folder = Directory.CreateTempSubdirectory("zt-control-").FullName;
    private readonly TestNamespace _bridge;
    private readonly MeshFile _mesh;
    private readonly List<string> _resolverFolders = [];
    private TestProcess? _istiod;
    private TestProcess? _dnsmasq;

    private ControlPlaneNetwork()
    {
        _mesh = new MeshFile(Path.Combine(_folder, "mesh.yaml"));
        _bridge = TestNamespace.Create("control");
        _bridge.AddBridge($"{ControlAddress}/16");
        Node = new TestNode(Attach("cnode", "10.213.1.254", "fd00:213::1:fe"), "node-1", _folder);
        Client = new TestPod(Attach("cclient", "10.213.1.1", "fd00:213::1:1"), "client", "node-1", "10.213.1.1", "fd00:213::1:1");
        Guarded = new TestPod(Attach("cguarded", "10.213.1.2", "fd00:213::1:2"), "guarded", "node-1", "10.213.1.2", "fd00:213::1:2");
        Server = new TestPod(Attach("cserver", "10.213.1.3", "fd00:213::1:3"), "server", "node-1", "10.213.1.3", "fd00:213::1:3");
        Outsider = new TestPod(Attach("coutside", "10.213.9.1", "fd00:213::9:1"), "outsider", "", "10.213.9.1", "fd00:213::9:1");
    }

    public TestNode Node { get; }

    public TestPod Client { get; }

    /// <summary>Behind the ALLOW policy that <see cref="WriteMesh"/> changes.</summary>
    public TestPod Guarded { get; }

    /// <summary>The endpoint of the service.</summary>
    public TestPod Server { get; }

    /// <summary>Not captured, and nothing that the control plane knows.</summary>
    public TestPod Outsider { get; }

    private TestPod[] Captured => [Client, Guarded, Server];

    /// <summary>The network alone: for what needs no traffic.</summary>
    public static ControlPlaneNetwork Create()
    {
        var network = new ControlPlaneNetwork();
        network.WriteMesh("client");
        network.Node.WritePods(network.Captured);
        return network;
    }

    /// <summary>The network with servers in its pods, whose traffic is captured.</summary>
    public static async Task<ControlPlaneNetwork> CreateAsync()
    {
        ControlPlaneNetwork network = Create();
        await Task.WhenAll(
            network.Guarded.StartServerAsync(), network.Server.StartServerAsync(), network.Outsider.StartServerAsync(),
            Task.Run(() => Parallel.ForEach(network.Captured, static pod =>
                TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, "redirect", "install", "--netns", pod.Namespace.Path, "--dns-capture", "false").EnsureSucceeded())));
        return network;
    }

    /// <summary>`guarded` lets these service accounts in. Without a stand-in it takes effect when one comes.</summary>
    public void WriteMesh(params string[] guardedAllows) => _mesh.Write(Captured, guardedAllows);

    public async Task StartIstiodAsync()
    {
        _istiod = TestProcess.Start(
            "nsenter", $"--net={_bridge.Path}", "dotnet", Path.Combine(AppContext.BaseDirectory, "Ztunnel.Istiod.dll"), "--mesh", _mesh.Path, "--folder", Path.Combine(_folder, "istiod"), "--listen", Control);
        await _istiod.WaitForLineAsync(static line => line.StartsWith("ready", StringComparison.Ordinal), StandInLimit);
    }

    public void StopIstiod()
    {
        _istiod?.Dispose();
        _istiod = null;
    }

    /// <summary>Has the stand-in behave as the line says.</summary>
    public async Task TellIstiodAsync(string line)
    {
        _istiod!.SendLine(line);
        await _istiod.WaitForLineAsync(answer => answer == $"done: {line}");
    }

    /// <summary>Starts ztunnel; the task completes when it says that it is ready, which may need a control plane first.</summary>
    public Task StartZtunnelAsync(params (string, string)[] more) => Node.StartAsync("", [.. ControlPlaneSettings("10.213.1.254"), .. more]);

    /// <summary>Starts a ztunnel of this pod's own beside its application, with the pod's resolv.conf.</summary>
    public TestProcess StartDedicated(TestPod pod, params (string, string)[] more) =>
        DedicatedZtunnel.Start(pod, _folder, through: ["ip", "netns", "exec", pod.Namespace.Name], [("LOCAL_XDS_PATH", ""), .. ControlPlaneSettings(pod.Address), .. more]);

    /// <summary>A resolver that knows the control plane, and nothing else, by this name; the pod's resolv.conf leads to it.</summary>
    public void StartResolver(TestPod pod, string name)
    {
        _dnsmasq = _bridge.Start("/usr/sbin/dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root", "--local=/cluster.local/", $"--host-record={name},{ControlAddress}");
        // `ip netns exec` shows it as /etc/resolv.conf.
        string folder = $"/etc/netns/{pod.Namespace.Name}";
        Directory.CreateDirectory(folder);
        _resolverFolders.Add(folder);
        File.WriteAllText($"{folder}/resolv.conf", $"nameserver {ControlAddress}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 timeout:2 attempts:2\n");
    }

    public Task<string> ReadinessAsync() => Task.Run(() => Node.Namespace.Run("curl", "-sS", "--max-time", "5", "http://127.0.0.1:15021/healthz/ready"));

    public void Dispose()
    {
        StopIstiod();
        _dnsmasq?.Dispose();
        _resolverFolders.ForEach(static folder => Directory.Delete(folder, recursive: true));
        Node.Dispose();
        foreach (TestPod pod in (TestPod[])[.. Captured, Outsider])
            pod.Dispose();
        _bridge.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private (string, string)[] ControlPlaneSettings(string address) =>
    [
        ("XDS_ADDRESS", Control), ("CA_ADDRESS", Control), ("FAKE_CA", "false"), ("POD_NAMESPACE", "istio-system"), ("POD_NAME", "ztunnel-node-1"), ("INSTANCE_IP", address),
        ("XDS_ROOT_CA", Path.Combine(_folder, "istiod", "root-cert.pem")), ("CA_ROOT_CA", Path.Combine(_folder, "istiod", "root-cert.pem")), ("AUTH_TOKEN", Path.Combine(_folder, "istiod", "token-node-1")),
    ];

    private TestNamespace Attach(string name, string address, string address6)
    {
        TestNamespace added = TestNamespace.Create(name);
        added.ConnectTo(_bridge, "eth0", $"v-{name}", [$"{address}/16", $"{address6}/64"], []);
        _bridge.Run("ip", "link", "set", $"v-{name}", "master", "br0");
        // Addresses of services are captured on their way out, so there must be a way out.
        added.Run("ip", "route", "add", "default", "via", ControlAddress);
        return added;
    }
}
