using System.Security.Cryptography.X509Certificates;
using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Observability;

/// <summary>
/// The network the recording was made in: pods a (client) and b (server), each with a proxy of its own in dedicated mode; c, known to the mesh but without a proxy; x, unknown. Addresses, ports, mesh file and settings are
/// those of the recording.
/// </summary>
public sealed class RecordedNetwork : IAsyncLifetime
{
    private const string Python = "/usr/bin/python3";

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"zt-recorded-{System.Environment.ProcessId}");
    private readonly Dictionary<string, TestNamespace> _pods = [];
    private readonly List<TestProcess> _servers = [];
    private readonly Dictionary<string, TestProcess> _proxies = [];
    private TestNamespace? _bridge;

    public static string Recording(string file) => Path.Combine(AppContext.BaseDirectory, "Observability", "Reference", file);

    internal static string Program => Path.Combine(AppContext.BaseDirectory, "Programs", "reference.py");

    /// <summary>Signs for both proxies and for those who replay recorded frames.</summary>
    internal TestAuthority Authority { get; } = TestAuthority.Create();

    /// <summary>A file of this network.</summary>
    internal string PathOf(string file) => Path.Combine(_folder, file);

    internal TestNamespace Pod(string name) => _pods[name];

    internal TestProcess Proxy(string pod) => _proxies[pod];

    public async Task InitializeAsync()
    {
        if (NamespaceSupport.MissingReason is not null)
            return;

        Directory.CreateDirectory(_folder);
        // The embedded authority takes its root from a file.
        File.WriteAllText(Path.Combine(_folder, "root.pem"), $"{Authority.Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()}\n{Authority.RootPem}\n");
        _bridge = TestNamespace.Create("rbridge");
        _bridge.AddBridge();
        foreach ((string name, int number) in (ReadOnlySpan<(string, int)>)[("a", 1), ("b", 2), ("c", 3), ("x", 9)])
            AddPod(name, number);
        foreach (string pod in (string[])["a", "b"])
            TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, "redirect", "install", "--netns", _pods[pod].Path, "--dns-capture", "false").EnsureSucceeded();
        _servers.Add(_pods["b"].Start(Python, Program, "serve", "8080", "8081", "8083", "8084", "8085"));
        _servers.Add(_pods["x"].Start(Python, Program, "serve", "9000"));
        await Task.WhenAll(_servers.Select(static server => server.WaitForLineAsync(static line => line == "ready")));
    }

    /// <summary>Writes a certificate of an account, with its key, and the root; the result are both paths, and the certificate.</summary>
    internal (string Certificate, string Roots, X509Certificate2 Leaf) Certify(string account)
    {
        IssuedCertificate issued = Authority.Issue($"spiffe://cluster.local/ns/default/sa/{account}");
        (string certificate, string roots) = (Path.Combine(_folder, account + ".pem"), Path.Combine(_folder, "root-only.pem"));
        File.WriteAllText(certificate, $"{issued.KeyPem}\n{issued.ChainPem}\n");
        File.WriteAllText(roots, Authority.RootPem);
        return (certificate, roots, issued.Leaf);
    }

    /// <summary>Starts both proxies anew.</summary>
    /// <param name="json">The format of their logs.</param>
    /// <param name="more">Further variables, or other values.</param>
    public async Task StartProxiesAsync(bool json, params (string Name, string Value)[] more)
    {
        StopProxies();
        foreach (string pod in (string[])["a", "b"])
        {
            Dictionary<string, string> environment = Environment(pod, json);
            foreach ((string variable, string value) in more)
                environment[variable] = value;
            _proxies[pod] = TestProcess.Start("nsenter", environment, $"--net={_pods[pod].Path}", TestNode.Binary, "proxy", "ztunnel");
            await _proxies[pod].WaitForLineAsync(static line => line.Contains("marking server ready", StringComparison.Ordinal));
        }
    }

    /// <summary>What the client prints.</summary>
    public Task<string[]> RunClientAsync(string pod, string[] command) => Task.Run(() =>
        TestCommand.Run(TimeSpan.FromSeconds(30), "ip", ["netns", "exec", _pods[pod].Name, Python, Program, "client", .. command]).EnsureSucceeded().Output.TrimEnd('\n').Split('\n'));

    /// <summary>How curl ended, as the recording has it.</summary>
    public Task<string[]> RunCurlAsync(string pod, string[] arguments) => Task.Run(() =>
        (string[])[$"rc={TestCommand.Run("ip", ["netns", "exec", _pods[pod].Name, "curl", .. arguments]).ExitCode}"]);

    /// <summary>A verb of the client program that runs beside the test.</summary>
    internal TestProcess Start(string pod, params string[] arguments) => _pods[pod].Start(Python, [Program, .. arguments]);

    /// <summary>What a port of a pod's proxy answers.</summary>
    public Task<string> GetAsync(string pod, string url, params string[] headers) => Task.Run(() =>
        _pods[pod].Run("curl", ["-sS", "--compressed", "--max-time", "8", .. headers.SelectMany(static header => (string[])["-H", header]), url]));

    public Task DisposeAsync()
    {
        StopProxies();
        _servers.ForEach(static server => server.Dispose());
        foreach (TestNamespace pod in _pods.Values)
            pod.Dispose();
        _bridge?.Dispose();
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    private Dictionary<string, string> Environment(string pod, bool json) => new()
    {
        ["FAKE_CA"] = "true",
        ["ZTUNNEL_FAKE_CA_ROOT"] = Path.Combine(_folder, "root.pem"),
        ["XDS_ADDRESS"] = "",
        ["LOCAL_XDS_PATH"] = Recording("mesh.yaml"),
        ["PROXY_MODE"] = "dedicated",
        ["PROXY_WORKLOAD_INFO"] = $"default/{pod}/{pod}",
        ["PACKET_MARK"] = "1337",
        ["NODE_NAME"] = $"node-{pod}",
        ["ISTIO_META_DNS_CAPTURE"] = "false",
        ["UNSTABLE_ENABLE_SOCKS5"] = pod == "a" ? "true" : "false",
        ["LOG_FORMAT"] = json ? "json" : "plain",
    };

    private void StopProxies()
    {
        foreach (TestProcess proxy in _proxies.Values)
            proxy.Dispose();
        _proxies.Clear();
    }

    private void AddPod(string name, int number)
    {
        TestNamespace added = TestNamespace.Create($"r{name}");
        added.ConnectTo(_bridge!, "eth0", $"v-{name}", [$"10.88.0.{number}/24", $"fd88::{number}/64"], []);
        _bridge!.Run("ip", "link", "set", $"v-{name}", "master", "br0");
        // Addresses of services exist only as redirect targets, but there must be a way out to them.
        added.Run("ip", "route", "add", "default", "dev", "eth0");
        added.Run("ip", "-6", "route", "add", "default", "dev", "eth0");
        _pods[name] = added;
    }
}

/// <summary>The tests that share the network of the recording; they run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class RecordedCollection : ICollectionFixture<RecordedNetwork>
{
    public const string Name = "recorded";
}
