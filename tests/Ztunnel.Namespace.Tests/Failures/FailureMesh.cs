using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Failures;

/// <summary>What became of one connection: what its application saw, and its line in the log of its node.</summary>
internal sealed record ObservedEnd(string Seen, string Line)
{
    public string this[string field] =>
        Regex.Match(Line, $"\\b{field}=(\"(?<value>[^\"]*)\"|(?<value>\\S+))").Groups["value"].Value;

    public double Seconds => double.Parse(this["duration"].Replace("ms", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) / 1000;
}

/// <summary>
/// One captured client on a node with a native ztunnel; one namespace whose addresses are misbehaving peers; a second node whose applications misbehave. Every case of <see cref="FailureCase"/> runs
/// once, all at the same time, since most of them wait for a limit of the product; the tests look at what came of it.
/// </summary>
public sealed class FailureMesh : IAsyncLifetime
{
    private static readonly TimeSpan RunLimit = TimeSpan.FromSeconds(90);

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"zt-failures-{Environment.ProcessId}");
    private readonly List<TestPod> _pods = [];
    private readonly Dictionary<string, TestPod> _applications = [];
    private TestNamespace? _bridge;
    private TestNamespace? _foreign;
    private TestProcess? _peer;

    internal TestNode Near { get; private set; } = null!;

    internal TestNode Far { get; private set; } = null!;

    internal TestPod Client { get; private set; } = null!;

    internal Dictionary<string, ObservedEnd> Single { get; } = [];

    internal Dictionary<string, ObservedEnd> Alternative { get; } = [];

    /// <summary>A client whose server accepted it and never says a word, open since before the first case began.</summary>
    internal TestProcess Idle { get; private set; } = null!;

    /// <summary>The client's node when all cases were over.</summary>
    internal string Metrics { get; private set; } = "";

    internal TestPod Application(string name) => _applications[name];

    public async Task InitializeAsync()
    {
        if (NamespaceSupport.MissingReason is not null)
            return;

        Directory.CreateDirectory(_folder);
        MakeNetwork();
        string meshFile = WriteFiles();
        await Task.WhenAll([StartPeerAsync(), .. _pods.Select(static pod => MakeReadyAsync(pod))]);
        foreach (TestNode node in (TestNode[])[Near, Far])
        {
            node.WritePods(_pods);
            await node.StartAsync(meshFile);
        }

        Idle = Client.Start("hold", Application("app-stalls").Address, 8086);
        await Idle.WaitForLineAsync(static line => line == "connected");
        await Task.WhenAll(FailureCase.All.Select(RunAsync));
        Metrics = await Near.ScrapeAsync();
    }

    public Task DisposeAsync()
    {
        if (Near is not null && Far is not null && Directory.Exists(_folder))
        {
            // What a failed test is looked into with.
            File.WriteAllText(Path.Combine(AppContext.BaseDirectory, "failures-near.log"), Near.Ztunnel.Output);
            File.WriteAllText(Path.Combine(AppContext.BaseDirectory, "failures-far.log"), Far.Ztunnel.Output);
        }

        Idle?.Dispose();
        _peer?.Dispose();
        Near?.Dispose();
        Far?.Dispose();
        _pods.ForEach(static pod => pod.Dispose());
        _foreign?.Dispose();
        _bridge?.Dispose();
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    /// <summary>Both connections of a case. A failure keeps an endpoint from being preferred for a while, so foreign peers have an address for each; applications are asked one after the other.</summary>
    private async Task RunAsync(FailureCase failure)
    {
        Task alternative = ObserveAsync(Alternative, failure, FailureMeshFile.VipOf(failure), 80, $"dst.service=\"{FailureMeshFile.HostnameOf(failure)}\"");
        if (failure.IsApplication)
            await alternative;
        string address = FailureMeshFile.AddressOf(failure, isAlternative: false);
        await ObserveAsync(Single, failure, address, failure.ApplicationPort, $"dst.hbone_addr={address}:{failure.ApplicationPort} ");
        await alternative;
    }

    private async Task ObserveAsync(Dictionary<string, ObservedEnd> results, FailureCase failure, string address, int port, string mark)
    {
        string seen = await Client.RunAsync("ask", address, port, "hello", RunLimit);
        string line = await Near.Ztunnel.WaitForLineAsync(line => line.Contains("direction=\"outbound\"", StringComparison.Ordinal) && line.Contains(mark, StringComparison.Ordinal), RunLimit);
        lock (results)
            results.Add(failure.Name, new ObservedEnd(seen, line));
    }

    private void MakeNetwork()
    {
        _bridge = TestNamespace.Create("fail-bridge");
        _bridge.AddBridge("10.213.0.254/16");
        Near = new TestNode(Attach("near", "10.213.0.251"), "node-near", _folder);
        Far = new TestNode(Attach("far", "10.213.0.252"), "node-far", _folder);
        Client = AddPod("client", Near, FailureMeshFile.ClientAddress);
        foreach (FailureCase failure in FailureCase.All.Where(static each => each.IsApplication))
            _applications.Add(failure.Name, AddPod(failure.Name, Far, FailureMeshFile.AddressOf(failure, isAlternative: false)));
        _foreign = Attach("peers", FailureMeshFile.ServingAddress);
        IEnumerable<string> addresses = FailureCase.All.Where(static each => !each.IsApplication)
            .SelectMany(static each => (string[])[FailureMeshFile.AddressOf(each, isAlternative: false), FailureMeshFile.AddressOf(each, isAlternative: true)]);
        _foreign.Run("sh", "-ec", string.Join('\n', addresses.Select(static address => $"ip address add {address}/16 dev eth0")));
        foreach (FailureCase failure in FailureCase.All.Where(static each => each.DropsSyn))
        {
            foreach (bool isAlternative in (bool[])[false, true])
                _foreign.Run("iptables", "-w", "-A", "INPUT", "-p", "tcp", "-d", FailureMeshFile.AddressOf(failure, isAlternative), "--syn", "-j", "DROP");
        }

        // An application whose accept queue is full looks like this.
        _applications["app-stalls"].Namespace.Run("iptables", "-w", "-A", "INPUT", "-p", "tcp", "--dport", "8099", "--syn", "-j", "DROP");
    }

    private TestPod AddPod(string name, TestNode node, string address)
    {
        var pod = new TestPod(Attach(name, address), name, node.Name, address, "");
        _pods.Add(pod);
        return pod;
    }

    private TestNamespace Attach(string name, string address)
    {
        TestNamespace added = TestNamespace.Create("fail-" + name);
        // An interface name has fifteen characters.
        string link = "f-" + name[..Math.Min(name.Length, 12)];
        added.ConnectTo(_bridge!, "eth0", link, [address + "/16"], []);
        _bridge!.Run("ip", "link", "set", link, "master", "br0");
        added.Run("ip", "route", "add", "default", "via", "10.213.0.254");
        return added;
    }

    private static async Task MakeReadyAsync(TestPod pod)
    {
        if (pod.Name != "client")
            await pod.StartServerAsync();
        await Task.Run(() => TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, "redirect", "install", "--netns", pod.Namespace.Path, "--dns-capture", "false").EnsureSucceeded());
    }

    private async Task StartPeerAsync()
    {
        IEnumerable<string> verbs = FailureCase.All.Where(static each => each.Verb != "").SelectMany(static each => (string[])
            [$"{FailureMeshFile.AddressOf(each, isAlternative: false)}={each.Verb}", $"{FailureMeshFile.AddressOf(each, isAlternative: true)}={each.Verb}"]);
        string[] files = [Path.Combine(_folder, "right.pem"), Path.Combine(_folder, "wrong.pem"), Path.Combine(_folder, "root-only.pem")];
        _peer = _foreign!.Start("/usr/bin/python3", [TestPod.Program("peer.py"), .. files, $"{FailureMeshFile.ServingAddress}=serves", .. verbs]);
        await _peer.WaitForLineAsync(static line => line == "ready");
    }

    private string WriteFiles()
    {
        var authority = TestAuthority.Create();
        // The embedded authority takes its root from a file; so the foreign peers' certificates come from the same one.
        string key = authority.Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem();
        File.WriteAllText(Path.Combine(_folder, "root.pem"), $"{key}\n{authority.RootPem}\n");
        File.WriteAllText(Path.Combine(_folder, "root-only.pem"), authority.RootPem);
        foreach ((string name, string account) in (ReadOnlySpan<(string, string)>)[("right", "peer"), ("wrong", "somebody")])
        {
            IssuedCertificate issued = authority.Issue($"spiffe://cluster.local/ns/default/sa/{account}");
            File.WriteAllText(Path.Combine(_folder, name + ".pem"), $"{issued.KeyPem}\n{issued.ChainPem}\n");
        }

        string path = Path.Combine(_folder, "mesh.yaml");
        File.WriteAllText(path, FailureMeshFile.Text(_pods));
        return path;
    }
}
