using System.Security.Cryptography.X509Certificates;
using System.Text;
using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Scenarios;

/// <summary>
/// Two nodes with a native ztunnel each; captured pods, some of which are waypoints or come and go; foreign waypoints and a gateway on addresses of one namespace. Made once for the scenarios of waypoints,
/// gateways, application tunnels and names (data-path 10.2).
/// </summary>
public sealed class ScenarioMesh : IAsyncLifetime
{
    public const string WaypointAddress = "10.215.1.1";
    public const string NamedWaypointAddress = "10.215.1.2";
    public const string GatewayAddress = "10.215.1.3";
    public const string FlightsAddress = "10.215.1.4";

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"zt-scenarios-{Environment.ProcessId}");
    private readonly List<TestPod> _pods = [];
    private TestNamespace? _bridge;
    private TestNamespace? _foreign;
    private TestProcess? _peer;

    internal TestNode Node1 { get; private set; } = null!;

    internal TestNode Node2 { get; private set; } = null!;

    /// <summary>Captured, on node 1.</summary>
    internal TestPod Client { get; private set; } = null!;

    /// <summary>Captured, on node 2; endpoint of services.</summary>
    internal TestPod Server { get; private set; } = null!;

    /// <summary>Captured, on node 2: a waypoint that takes other pods' traffic as it is.</summary>
    internal TestPod PlainSandwich { get; private set; } = null!;

    /// <summary>Captured, on node 2: a waypoint that takes it with a PROXY header on a port of its own.</summary>
    internal TestPod ProxySandwich { get; private set; } = null!;

    /// <summary>Captured, on node 2, until the test takes it away.</summary>
    internal TestPod Leaver { get; private set; } = null!;

    /// <summary>On another network, behind the gateway: a node with a pod that serves what the client's mesh knows by name only.</summary>
    internal TestNode RemoteNode { get; private set; } = null!;

    internal TestPod Remote { get; private set; } = null!;

    /// <summary>Foreign waypoints and gateway.</summary>
    internal TestProcess Peer => _peer ?? throw new InvalidOperationException("no peer runs");

    public async Task InitializeAsync()
    {
        if (NamespaceSupport.MissingReason is not null)
            return;

        Directory.CreateDirectory(_folder);
        MakeNetwork();
        WriteFiles();
        await Task.WhenAll([StartPeerAsync(), .. _pods.Select(static pod => MakeReadyAsync(pod))]);
        foreach (TestNode node in (TestNode[])[Node1, Node2])
        {
            node.WritePods(_pods);
            await node.StartAsync(Path.Combine(_folder, "mesh.yaml"));
        }

        RemoteNode.WritePods(_pods);
        await RemoteNode.StartAsync(Path.Combine(_folder, "remote.yaml"), ("NETWORK", "remote"));
    }

    /// <summary>Runs a foreign HBONE client; the result is the first line it prints.</summary>
    internal async Task<string> CallAsync(string host, string authority)
    {
        using TestProcess caller = _foreign!.Start(
            "/usr/bin/python3", TestPod.Program("caller.py"), host, authority, Path.Combine(_folder, "foreign.pem"), Path.Combine(_folder, "root-only.pem"));
        return await caller.WaitForLineAsync(static line => line.Length > 0);
    }

    /// <summary>Takes a pod away from its node, as its deletion does.</summary>
    internal void Remove(TestPod pod) => Node2.WritePods(_pods.Where(each => each != pod));

    public Task DisposeAsync()
    {
        _peer?.Dispose();
        Node1?.Dispose();
        Node2?.Dispose();
        RemoteNode?.Dispose();
        _pods.ForEach(static pod => pod.Dispose());
        _foreign?.Dispose();
        _bridge?.Dispose();
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    private void MakeNetwork()
    {
        _bridge = TestNamespace.Create("scen-bridge");
        _bridge.AddBridge("10.215.0.254/16");
        Node1 = new TestNode(Attach("node1", "10.215.0.251"), "node-1", _folder);
        Node2 = new TestNode(Attach("node2", "10.215.0.252"), "node-2", _folder);
        RemoteNode = new TestNode(Attach("node3", "10.215.0.253"), "node-3", _folder);
        Client = AddPod("client", Node1, "10.215.0.10");
        Server = AddPod("server", Node2, "10.215.0.20");
        PlainSandwich = AddPod("plain-sandwich", Node2, "10.215.0.30");
        ProxySandwich = AddPod("proxy-sandwich", Node2, "10.215.0.31");
        Leaver = AddPod("leaver", Node2, "10.215.0.40");
        Remote = AddPod("remote", RemoteNode, "10.215.0.50");
        _foreign = Attach("peers", WaypointAddress);
        foreach (string address in (string[])[NamedWaypointAddress, GatewayAddress, FlightsAddress])
            _foreign.Run("ip", "address", "add", address + "/16", "dev", "eth0");
    }

    private TestPod AddPod(string name, TestNode node, string address)
    {
        var pod = new TestPod(Attach(name, address), name, node.Name, address, "");
        _pods.Add(pod);
        return pod;
    }

    private TestNamespace Attach(string name, string address)
    {
        TestNamespace added = TestNamespace.Create("scen-" + name);
        // An interface name has fifteen characters.
        string link = "s-" + name[..Math.Min(name.Length, 12)];
        added.ConnectTo(_bridge!, "eth0", link, [address + "/16"], []);
        _bridge!.Run("ip", "link", "set", link, "master", "br0");
        added.Run("ip", "route", "add", "default", "via", "10.215.0.254");
        return added;
    }

    private static async Task MakeReadyAsync(TestPod pod)
    {
        await pod.StartServerAsync();
        await Task.Run(() => TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, "redirect", "install", "--netns", pod.Namespace.Path, "--dns-capture", "false").EnsureSucceeded());
    }

    private async Task StartPeerAsync()
    {
        string certificate = Path.Combine(_folder, "foreign.pem");
        _peer = _foreign!.Start(
            "/usr/bin/python3", TestPod.Program("peer.py"), certificate, certificate, Path.Combine(_folder, "root-only.pem"),
            $"{WaypointAddress}=waypoint", $"{NamedWaypointAddress}=waypoint", $"{GatewayAddress}=gateway:{Remote.Address}:15008", $"{FlightsAddress}=flights");
        await _peer.WaitForLineAsync(static line => line == "ready");
    }

    private void WriteFiles()
    {
        var authority = TestAuthority.Create();
        // The embedded authority takes its root from a file; so the foreign peers' certificates come from the same one.
        string key = authority.Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem();
        File.WriteAllText(Path.Combine(_folder, "root.pem"), $"{key}\n{authority.RootPem}\n");
        File.WriteAllText(Path.Combine(_folder, "root-only.pem"), authority.RootPem);
        IssuedCertificate issued = authority.Issue("spiffe://cluster.local/ns/default/sa/waypoint");
        File.WriteAllText(Path.Combine(_folder, "foreign.pem"), $"{issued.KeyPem}\n{issued.ChainPem}\n");
        File.WriteAllText(Path.Combine(_folder, "mesh.yaml"), MeshText());
        File.WriteAllText(Path.Combine(_folder, "remote.yaml"), RemoteMeshText());
    }

    // The other network's own view: its pod with an address, and the services it is an endpoint of.
    private string RemoteMeshText()
    {
        var text = new StringBuilder("workloads:\n");
        AppendWorkload(
            text, "remote", Remote.Address, "node-3", "remote", services: "\"default/address.default.svc.cluster.local\": {8080: 8080}, \"default/name.default.svc.cluster.local\": {8080: 8080}", network: "remote");
        text.Append("""
            services:
            - {name: address, namespace: default, hostname: address.default.svc.cluster.local, vips: [remote/10.216.0.30], ports: {8080: 8080}}
            - {name: name, namespace: default, hostname: name.default.svc.cluster.local, vips: [remote/10.216.0.31], ports: {8080: 8080}}

            """);
        return text.ToString();
    }

    private string MeshText()
    {
        var text = new StringBuilder("workloads:\n");
        AppendWorkload(text, "client", Client.Address, "node-1", "client");
        AppendWorkload(text, "server", Server.Address, "node-2", "server", services: "\"default/named.default.svc.cluster.local\": {80: 8080}, \"default/two.default.svc.cluster.local\": {}");
        AppendWorkload(text, "flights", FlightsAddress, "", "waypoint");
        AppendWorkload(text, "leaver", Leaver.Address, "node-2", "leaver");
        AppendWorkload(text, "plain-sandwich", PlainSandwich.Address, "node-2", "plain-sandwich", "applicationTunnel: {protocol: NONE}");
        AppendWorkload(text, "proxy-sandwich", ProxySandwich.Address, "node-2", "proxy-sandwich", "applicationTunnel: {protocol: PROXY, port: 15088}", "\"default/sandwich.default.svc.cluster.local\": {}");
        AppendWorkload(text, "waypoint", WaypointAddress, "", "waypoint", services: "\"default/waypoint.default.svc.cluster.local\": {15009: 15008}");
        AppendWorkload(text, "named-waypoint", NamedWaypointAddress, "", "waypoint", "hostname: waypoint.pods.example");
        AppendWorkload(text, "gateway", GatewayAddress, "", "waypoint", services: "\"default/gateway.default.svc.cluster.local\": {15009: 15008}");

        // Behind waypoints of every form of reference. Nobody is at these addresses: whoever answers is the waypoint.
        AppendWorkload(text, "behind-address", "10.215.2.1", "", "server", $"waypoint: {{destination: /{WaypointAddress}, hboneMtlsPort: 15008}}");
        AppendWorkload(text, "behind-service-name", "10.215.2.2", "", "server", "waypoint: {destination: default/waypoint.default.svc.cluster.local, hboneMtlsPort: 15009}");
        AppendWorkload(text, "behind-workload-name", "10.215.2.3", "", "server", "waypoint: {destination: default/waypoint.pods.example, hboneMtlsPort: 15008}");
        AppendWorkload(text, "behind-plain", "10.215.2.4", "", "server", $"waypoint: {{destination: /{PlainSandwich.Address}, hboneMtlsPort: 15008}}");
        AppendWorkload(text, "behind-proxy", "10.215.2.5", "", "server", "waypoint: {destination: /10.216.0.20, hboneMtlsPort: 15008}");

        // Without an address of its own: resolved when it is called, here to the caller's loopback.
        AppendWorkload(text, "by-name", "", "", "server", "hostname: localhost", "\"default/external.default.svc.cluster.local\": {80: 8080}", "TCP");

        // On another network, behind gateways by address and by name.
        foreach (string form in (string[])["address", "name"])
        {
            string gateway = form == "address" ? $"/{GatewayAddress}, hboneMtlsPort: 15008" : "default/gateway.default.svc.cluster.local, hboneMtlsPort: 15009";
            AppendWorkload(text, $"remote-by-{form}", "", "", "remote", $"networkGateway: {{destination: {gateway}}}",
                $"\"default/{form}.default.svc.cluster.local\": {{8080: 8080}}", network: "remote");
        }

        text.Append($$"""
            services:
            - {name: guarded, namespace: default, hostname: guarded.default.svc.cluster.local, vips: [/10.216.0.1], ports: {80: 8080}, waypoint: {destination: /{{WaypointAddress}}, hboneMtlsPort: 15008} }
            - {name: waypoint, namespace: default, hostname: waypoint.default.svc.cluster.local, vips: [/10.216.0.2], ports: {15009: 15008} }
            - {name: gateway, namespace: default, hostname: gateway.default.svc.cluster.local, vips: [/10.216.0.3], ports: {15009: 15008} }
            - {name: external, namespace: default, hostname: external.default.svc.cluster.local, vips: [/10.216.0.4], ports: {80: 8080} }
            - {name: named, namespace: default, hostname: named.default.svc.cluster.local, vips: [/10.216.0.5], ports: {80: 0} }
            - {name: two, namespace: default, hostname: two.default.svc.cluster.local, vips: [/10.216.0.6], ports: {80: 8080} }
            - {name: sandwich, namespace: default, hostname: sandwich.default.svc.cluster.local, vips: [/10.216.0.20], ports: {} }
            - {name: address, namespace: default, hostname: address.default.svc.cluster.local, vips: [/10.216.0.30], ports: {8080: 8080}, subjectAltNames: ["spiffe://cluster.local/ns/default/sa/remote"]}
            - {name: name, namespace: default, hostname: name.default.svc.cluster.local, vips: [/10.216.0.31], ports: {8080: 8080}, subjectAltNames: ["spiffe://cluster.local/ns/default/sa/remote"]}
            - {name: empty, namespace: default, hostname: empty.default.svc.cluster.local, vips: [/10.216.0.40], ports: {80: 8080} }

            """);
        return text.ToString();
    }

    private static void AppendWorkload(
        StringBuilder text, string name, string address, string node, string account, string more = "", string services = "", string protocol = "HBONE", string network = "") => text.Append($$"""
        - uid: "test//Pod/default/{{name}}"
          name: {{name}}
          namespace: default
          serviceAccount: {{account}}
          trustDomain: cluster.local
          clusterId: Kubernetes
          workloadName: {{name}}
          workloadType: deployment
          canonicalName: {{name}}
          canonicalRevision: v1
          network: "{{network}}"
          node: "{{node}}"
          workloadIps: [{{(address == "" ? "" : $"\"{address}\"")}}]
          protocol: {{protocol}}
          services: {{{services}}}
          authorizationPolicies: []
        {{(more == "" ? "" : $"  {more}\n")}}
        """);
}

/// <summary>The scenarios that share one mesh; they run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class ScenarioCollection : ICollectionFixture<ScenarioMesh>
{
    public const string Name = "scenarios";
}
