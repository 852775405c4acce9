using System.Security.Cryptography.X509Certificates;
using Ztunnel.Testing;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Integration.Tests.Network;

/// <summary>
/// One bridge; two nodes with a native ztunnel and one captured pod each; one namespace of foreign programs, which speak HBONE themselves under several addresses of the mesh. All trust one root.
/// Made once for the tests of the collection, which run one after the other.
/// </summary>
public sealed class InteropMesh : IAsyncLifetime
{
    public const string Hostname = "mixed.default.svc.cluster.local";

    /// <summary>A service with one endpoint that always answers 503 and one that serves.</summary>
    public const string Vip = "10.204.0.10";

    /// <summary>A service of the far node's network behind a gateway, as <see cref="Node"/> sees it.</summary>
    public const string RemoteHostname = "remote.default.svc.cluster.local";
    public const string RemoteVip = "10.204.0.11";

    /// <summary>The same, but it names another identity than that of who serves it.</summary>
    public const string MisledVip = "10.204.0.12";

    private const string Python = "/usr/bin/python3";

    private readonly TestAuthority _authority = TestAuthority.Create();
    private readonly List<TestProcess> _programs = [];
    private TestNamespace _foreign = null!;

    /// <summary>Where certificates and captures lie.</summary>
    internal string Folder { get; } = Path.Combine(Path.GetTempPath(), $"zt-int-{Environment.ProcessId}");

    internal string RootFile => Path.Combine(Folder, "root-only.pem");

    internal string KeyLogFile => Path.Combine(Folder, "keys.txt");

    /// <summary>The node most tests are about; `app` is its pod.</summary>
    internal InteropNode Node { get; private set; } = null!;

    /// <summary>The node that writes its TLS secrets down; `far` is its pod.</summary>
    internal InteropNode FarNode { get; private set; } = null!;

    internal TestNamespace Bridge { get; private set; } = null!;

    // Foreign servers on port 15008 of their addresses.
    internal InteropMember Echo { get; } = new("echo", 20) { ServicePorts = "80: 8080" };

    internal InteropMember OneStream { get; } = new("one-stream", 21);

    internal InteropMember SmallWindow { get; } = new("small-window", 22);

    internal InteropMember Imposter { get; } = new("imposter", 23);

    internal InteropMember Mute { get; } = new("mute", 24);

    internal InteropMember Failing { get; } = new("failing", 25) { ServicePorts = "80: 8503" };

    internal InteropMember NghttpX { get; } = new("nghttpx", 26);

    internal InteropMember LargeFrame { get; } = new("large-frame", 27);

    /// <summary>The gateway to the far node's network.</summary>
    internal InteropMember Gateway { get; } = new("gateway", 28);

    /// <summary>The foreign client.</summary>
    internal InteropMember Client { get; } = new("client", 30);

    private IEnumerable<InteropMember> ForeignMembers => [Echo, OneStream, SmallWindow, Imposter, Mute, Failing, NghttpX, LargeFrame, Gateway, Client];

    public async Task InitializeAsync()
    {
        if (NamespaceSupport.MissingReason is not null)
            return;

        Directory.CreateDirectory(Folder);
        MakeNetwork();
        WriteFiles();
        Task[] starts =
        [
            Node.StartAsync(Folder, "mesh.yaml", network: "", keyLog: null), FarNode.StartAsync(Folder, "far-mesh.yaml", "net2", KeyLogFile),
            StartApplicationAsync(Node.Pod), StartApplicationAsync(FarNode.Pod),
        ];
        await Task.WhenAll(starts);
    }

    public Task DisposeAsync()
    {
        _programs.ForEach(static program => program.Dispose());
        Node?.Dispose();
        FarNode?.Dispose();
        _foreign?.Dispose();
        Bridge?.Dispose();
        if (Directory.Exists(Folder))
            Directory.Delete(Folder, recursive: true);
        return Task.CompletedTask;
    }

    internal static string Script(string name) => Path.Combine(AppContext.BaseDirectory, "Peers", name);

    /// <summary>A certificate of the mesh's own authority, in a file.</summary>
    internal string Certify(string name, params string[] uris) => InteropMember.WriteCertificate(Folder, name, _authority.Issue(uris));

    internal string Certify(string name, LeafOptions options, params string[] uris) => InteropMember.WriteCertificate(Folder, name, _authority.Issue(options, uris));

    /// <summary>Runs a program of the foreign namespace to its end; the result is its lines, or the last line of its complaint.</summary>
    internal async Task<string[]> RunClientAsync(string certificate, params string[] arguments) => await RunClientAsync(certificate, TimeSpan.FromSeconds(20), arguments);

    internal async Task<string[]> RunClientAsync(string certificate, TimeSpan limit, params string[] arguments)
    {
        string[] command = ["netns", "exec", _foreign.Name, Python, Script("client.py"), arguments[0], Node.Member.Address, certificate, RootFile, .. arguments[1..]];
        // Off this thread: waiting for a program blocks.
        CommandResult result = await Task.Run(() => TestCommand.Run(limit, "ip", command));
        return Lines(result.EnsureSucceeded().Output);
    }

    /// <summary>Starts a foreign server on port 15008 of its address; it lives as long as the mesh unless it is disposed before.</summary>
    internal async Task<TestProcess> StartServerAsync(InteropMember member, string certificate, params string[] options)
    {
        TestProcess server = StartForeign(Python, [Script("server.py"), member.Address, certificate, RootFile, .. options]);
        await server.WaitForLineAsync(static line => line == "ready");
        return server;
    }

    /// <summary>Starts the foreign gateway, which leads to the far pod.</summary>
    internal async Task<TestProcess> StartGatewayAsync(params string[] options)
    {
        TestProcess gateway = StartForeign(Python, [Script("gateway.py"), Gateway.Address, Certify("gateway", Gateway.Identity), RootFile, FarNode.Member.Address, .. options]);
        await gateway.WaitForLineAsync(static line => line == "ready");
        return gateway;
    }

    internal TestProcess StartForeign(string program, params string[] arguments)
    {
        TestProcess started = _foreign.Start(program, arguments);
        _programs.Add(started);
        return started;
    }

    internal async Task<TestProcess> StartForwardProxyAsync(int port)
    {
        TestProcess started = StartForeign(Python, Script("application.py"), port.ToString(System.Globalization.CultureInfo.InvariantCulture));
        await started.WaitForLineAsync(static line => line == "ready");
        return started;
    }

    /// <summary>An unmodified program in a captured pod calls somebody; the result is what it says about it.</summary>
    internal static async Task<string> CallAsync(InteropNode from, string host, int port, int bytes, string mode = "") =>
        (await Task.Run(() => TestCommand.Run(TimeSpan.FromSeconds(60), "ip", CallCommand(from, host, port, bytes, mode)))).EnsureSucceeded().Output.Trim();

    /// <summary>The same, left open until it is disposed.</summary>
    internal static async Task<TestProcess> HoldAsync(InteropNode from, string host, int port)
    {
        TestProcess call = TestProcess.Start("ip", CallCommand(from, host, port, 5, "hold"));
        await call.WaitForLineAsync(static line => line == "open");
        return call;
    }

    internal static string[] Lines(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static string[] CallCommand(InteropNode from, string host, int port, int bytes, string mode)
    {
        string[] command = ["netns", "exec", from.Pod.Name, Python, Script("call.py"), host, $"{port}", $"{bytes}"];
        return mode.Length > 0 ? [.. command, mode] : command;
    }

    private async Task StartApplicationAsync(TestNamespace pod)
    {
        TestProcess application = pod.Start(Python, Script("application.py"));
        _programs.Add(application);
        await application.WaitForLineAsync(static line => line == "ready");
    }

    private void MakeNetwork()
    {
        Bridge = TestNamespace.Create("int-bridge");
        Bridge.AddBridge("10.203.0.254/24");
        Node = new InteropNode("node-1", Attach("node1", 251), Attach("app", 10), new InteropMember("app", 10, "node-1"));
        FarNode = new InteropNode("node-2", Attach("node2", 252), Attach("far", 11), new InteropMember("far", 11, "node-2"));
        _foreign = Attach("foreign", Client.Number);
        foreach (InteropMember member in ForeignMembers.Except([Client]))
            _foreign.Run("ip", "address", "add", member.Address + "/24", "dev", "eth0");
    }

    private TestNamespace Attach(string name, int number)
    {
        TestNamespace added = TestNamespace.Create("int-" + name);
        added.ConnectTo(Bridge, "eth0", $"v-{name}", [$"10.203.0.{number}/24"], []);
        Bridge.Run("ip", "link", "set", $"v-{name}", "master", "br0");
        // The address of a service is captured on its way out, so there must be a way out.
        added.Run("ip", "route", "add", "default", "via", "10.203.0.254");
        return added;
    }

    private void WriteFiles()
    {
        // The embedded authority takes its root from a file; so the foreign programs' certificates come from the same one.
        string key = _authority.Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem();
        File.WriteAllText(Path.Combine(Folder, "root.pem"), $"{key}\n{_authority.RootPem}\n");
        File.WriteAllText(RootFile, _authority.RootPem);
        // Both nodes see the same workloads; but the far one is on a network of its own, where its pod serves what the near node reaches through the gateway only.
        File.WriteAllText(Path.Combine(Folder, "mesh.yaml"), MeshText(
            FarNode.Member.ToYaml() + BehindGatewayText("remote") + BehindGatewayText("misled"),
            ServiceText("remote", RemoteVip, FarNode.Member.Identity) + ServiceText("misled", MisledVip, InteropMember.IdentityOf("somebody"))));
        InteropMember far = FarNode.Member with { ServicePorts = "80: 8080, 82: 8082", Service = RemoteHostname };
        string farMesh = MeshText(far.ToYaml(), ServiceText("remote", RemoteVip, far.Identity));
        File.WriteAllText(Path.Combine(Folder, "far-mesh.yaml"), farMesh.Replace("network: \"\"", "network: \"net2\"", StringComparison.Ordinal));
    }

    private string MeshText(string farWorkloads, string moreServices) => $"""
        policies:
        - name: closed-port
          namespace: default
          scope: Namespace
          action: Deny
          dryRun: false
          rules:
          - - - destinationPorts: [8085]
        workloads:
        {string.Concat(ForeignMembers.Append(Node.Member).Select(static member => member.ToYaml()))}{farWorkloads}
        services:
        - name: mixed
          namespace: default
          hostname: {Hostname}
          vips: ["/{Vip}"]
          ports: {"{80: 8080}"}
        {moreServices}
        """;

    private static string ServiceText(string name, string vip, string identity) => $"""
        - name: {name}
          namespace: default
          hostname: {name}.default.svc.cluster.local
          vips: ["/{vip}"]
          ports: {"{80: 8080, 82: 8082}"}
          subjectAltNames: ["{identity}"]

        """;

    /// <summary>What stands for all of a service's workloads of the other network: it has no address, only the gateway's.</summary>
    private string BehindGatewayText(string service) => $"""
        - uid: "net2/SplitHorizonWorkload/default/{service}"
          name: {service}-net2
          namespace: default
          network: net2
          workloadIps: []
          protocol: HBONE
          networkGateway: {"{"}destination: "/{Gateway.Address}", hboneMtlsPort: 15008{"}"}
          services: {"{"}"default/{service}.default.svc.cluster.local": {"{80: 8080, 82: 8082}"}{"}"}

        """;
}

/// <summary>The tests that share one mesh; they run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class InteropCollection : ICollectionFixture<InteropMesh>
{
    public const string Name = "interop";
}
