using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Ztunnel.Control;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.Istiod;
using Ztunnel.Istiod.Ca;
using Ztunnel.Istiod.Identity;
using Ztunnel.Istiod.Server;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Serving;
using Ztunnel.Settings;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing;
using Ztunnel.Testing.Logging;
using Ztunnel.Tests.Settings;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Tests.Control;

/// <summary>The control-plane half of the daemon, composed from an environment as the daemon does it, and a stand-in for istiod that may come and go.</summary>
internal sealed class ControlRig : IAsyncDisposable
{
    public const string Web = "spiffe://cluster.local/ns/shop/sa/web";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    // Making an RSA key takes longer than most of these tests.
    private static readonly TestAuthority Root = TestAuthority.CreateRsa();

    // The daemon's waits are seconds to minutes; what they are is tested where they are decided.
    private static readonly CertificateStoreSettings Impatient = new() { FirstRetry = TimeSpan.FromMilliseconds(100), ShortestRenewal = TimeSpan.FromMilliseconds(100) };

    private readonly string _folder = Directory.CreateTempSubdirectory("ztunnel-control-").FullName;
    private readonly ServerCertificates _servers = new();
    private readonly int _port = FreePort();
    private readonly Dictionary<string, string> _environment;
    private MetricRegistry? _metrics;
    private MeshSources? _sources;
    private Authority? _authority;
    private LocalCertificates? _localCertificates;
    private bool _disposed;

    public ControlRig()
    {
        _environment = new Dictionary<string, string>
        {
            ["NODE_NAME"] = "node-1",
            ["POD_NAME"] = "ztunnel-node-1",
            ["POD_NAMESPACE"] = "istio-system",
            ["INSTANCE_IP"] = "10.0.0.7",
            ["XDS_ADDRESS"] = $"127.0.0.1:{_port}",
            ["CA_ADDRESS"] = $"127.0.0.1:{_port}",
            ["XDS_ROOT_CA"] = RootFile,
            ["CA_ROOT_CA"] = RootFile,
            ["AUTH_TOKEN"] = TokenFile,
            ["ISTIO_META_DNS_CAPTURE"] = "false",
        };
        WriteRoot(_servers.RootPem);
        WriteToken(Tokens.IssueForNode("node-1"));
    }

    public string RootFile => Path.Combine(_folder, "root.pem");

    public string TokenFile => Path.Combine(_folder, "token");

    public string RootPem => _servers.RootPem;

    public TokenAuthority Tokens { get; } = new(TimeProvider.System);

    public CertificateService Signer { get; } = new(TimeProvider.System, Root);

    public RecordingLogger Log { get; } = new();

    public MeshStore Mesh { get; private set; } = new("node-1");

    public CertificateStore Certificates { get; private set; } = null!;

    public MeshSources Sources => _sources!;

    public ZtunnelSettings Settings { get; private set; } = null!;

    /// <summary>Changes the environment before the start.</summary>
    public ControlRig With(string name, string value)
    {
        _environment[name] = value;
        return this;
    }

    public ControlRig Without(string name)
    {
        _environment.Remove(name);
        return this;
    }

    /// <summary>Composes and starts.</summary>
    public ControlRig Start(CertificateStoreSettings? store = null)
    {
        TimeProvider time = TimeProvider.System;
        ZtunnelSettings settings = TestSource.Read([.. _environment.Select(static pair => (pair.Key, pair.Value))]);
        Settings = settings;
        Mesh = new MeshStore(settings.Node.NodeName);
        _metrics = new MetricRegistry(new MetricSettings { Loops = 1 }, time);
        _sources = MeshSources.Open(settings, Mesh, _metrics, time, Log);
        _authority = Authority.Open(settings, TlsSettings.Default, _metrics, time, Log);
        Certificates = new CertificateStore(_authority, store ?? Impatient, time, new CertificateTelemetry(_metrics, Log));
        _localCertificates = new LocalCertificates(Mesh, Certificates);
        _localCertificates.Start();
        _sources.Start();
        return this;
    }

    /// <summary>A stand-in at the address of the settings, with these pods of node-1 (name and service account), to be disposed of by the test.</summary>
    public async Task<IstiodServer> StartIstiodAsync(params string[] pods)
    {
        IstiodServer istiod = new() { Tokens = Tokens, Authority = Signer, Mesh = MeshOf(pods) };
        return await istiod.StartAsync(_port, _servers);
    }

    /// <summary>A stand-in whose streams the test plays; everybody gets every certificate.</summary>
    public async Task<IstiodServer> StartByHandAsync() => await new IstiodServer { Authority = Signer }.StartAsync(_port, _servers);

    public static MeshSnapshot MeshOf(params string[] pods)
    {
        StringBuilder file = new("workloads:\n");
        for (int i = 0; i < pods.Length; i++)
        {
            file.Append($$"""
                - {uid: "test//Pod/shop/{{pods[i]}}", name: {{pods[i]}}, namespace: shop, serviceAccount: {{pods[i]}}, trustDomain: cluster.local, clusterId: Kubernetes, workloadType: deployment, node: node-1,
                   protocol: HBONE, workloadIps: ["10.1.0.{{pods[i].Sum(static c => c) % 250}}"], services: {"shop/all.shop.svc.cluster.local": {80: 8080} }, authorizationPolicies: ["shop/guard"]}

                """);
        }

        file.Append("""
            services:
            - {name: all, namespace: shop, hostname: all.shop.svc.cluster.local, vips: ["/10.2.0.1"], ports: {80: 8080}}
            policies:
            - {name: guard, namespace: shop, scope: WorkloadSelector, action: Allow, dryRun: false, rules: [[[{principals: [{Exact: "cluster.local/ns/shop/sa/web"}]}]]]}

            """);
        using StringReader text = new(file.ToString());
        LocalMesh mesh = LocalFileReader.Read(text, "test");
        MeshStore store = new();
        store.Replace(new MeshUpdate { Workloads = [.. mesh.Workloads], Services = [.. mesh.Services], Policies = [.. mesh.Policies] });
        return store.Current;
    }

    public Task SyncedAsync() => Mesh.FirstSync.WaitAsync(Limit);

    public async Task<Workload> WaitForWorkloadAsync(string pod) =>
        await Mesh.WaitForAsync(mesh => mesh.FindWorkloadByUid($"test//Pod/shop/{pod}"), Limit, TimeProvider.System, CancellationToken.None) ?? throw new TimeoutException($"{pod} did not appear");

    public async Task WaitForGoneAsync(string pod) =>
        _ = await Mesh.WaitForAsync(mesh => mesh.FindWorkloadByUid($"test//Pod/shop/{pod}") is null ? mesh : null, Limit, TimeProvider.System, CancellationToken.None)
            ?? throw new TimeoutException($"{pod} stayed");

    /// <summary>What a connection would get; the exception's message is what it would be told.</summary>
    public async Task<WorkloadCertificate> GetCertificateAsync(string identity = Web)
    {
        Assert.True(SpiffeId.TryParse(identity, out SpiffeId? parsed));
        return await Certificates.GetAsync(parsed, CertificatePriority.RealTime, CancellationToken.None).AsTask().WaitAsync(Limit);
    }

    public Task IssuedAsync(int times = 1) => Log.WaitForAsync(LogLevel.Debug, "certificate fetch succeeded", times);

    public void WriteRoot(string pem) => Replace(RootFile, pem);

    public void WriteToken(string token) => Replace(TokenFile, token);

    public string Scrape()
    {
        ArrayBufferWriter<byte> output = new();
        _metrics!.Write(output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        if (_sources is not null)
        {
            // In the daemon's order.
            _localCertificates!.Dispose();
            Task stopped = Certificates.DisposeAsync().AsTask();
            _authority!.Dispose();
            await stopped.WaitAsync(Limit);
            await _sources.DisposeAsync().AsTask().WaitAsync(Limit);
        }

        Directory.Delete(_folder, recursive: true);
    }

    // As a mounted secret changes: another file under the same name.
    private static void Replace(string path, string content)
    {
        File.WriteAllText(path + ".new", content);
        File.Move(path + ".new", path, overwrite: true);
    }

    private static int FreePort()
    {
        using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
