using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Ztunnel.Endurance.Figures;
using Ztunnel.Endurance.Load;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Endurance.Network;

/// <summary>A node: a ztunnel in a namespace of its own, and the node agent that hands it the node's pods.</summary>
internal sealed class SoakNode : IDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    private readonly SoakPod _home;
    private readonly SoakSettings _settings;
    private readonly Tally _tally;
    private readonly string _folder;
    private readonly HttpClient _http;
    private NodeProcess? _agent;
    private NodeProcess? _ztunnel;

    public SoakNode(string name, string address, TestNamespace bridge, string folder, SoakSettings settings, Tally tally)
    {
        Name = name;
        _folder = folder;
        _settings = settings;
        _tally = tally;
        _home = new SoakPod(name, "", address, bridge);
        Directory.CreateDirectory(ResolverFolder);
        File.WriteAllText($"{ResolverFolder}/resolv.conf", $"nameserver {SoakNetwork.BridgeAddress}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 timeout:3 attempts:2\n");
        // A connection for each question, made in the node's namespace: asking leaves nothing behind.
        _http = new HttpClient(new SocketsHttpHandler { ConnectCallback = async (context, cancellation) => await ConnectAsync(context.DnsEndPoint.Port, cancellation), PooledConnectionLifetime = TimeSpan.Zero }) { Timeout = TimeSpan.FromSeconds(10) };
    }

    public string Name { get; }

    public int Process => _ztunnel!.Id;

    public string LatestLog => _ztunnel!.Latest;

    // `ip netns exec` shows it as /etc/resolv.conf.
    private string ResolverFolder => $"/etc/netns/{_home.Namespace.Name}";

    private string Socket => Path.Combine(_folder, $"{Name}.sock");

    private string PodList => Path.Combine(_folder, $"{Name}.pods.json");

    /// <summary>What the node agent captures from now on: of these pods those of this node.</summary>
    public void WritePods(IEnumerable<SoakPod> pods)
    {
        IEnumerable<string> entries = pods.Where(pod => pod.Node == Name).Select(static pod =>
            $$"""{"uid": "{{pod.Name}}", "name": "{{pod.Name}}", "namespace": "default", "serviceAccount": "{{pod.Name}}", "netns": "{{pod.Namespace.Path}}"}""");
        File.WriteAllText(PodList + ".new", $"{{\"pods\": [\n{string.Join(",\n", entries)}\n]}}\n");
        File.Move(PodList + ".new", PodList, overwrite: true);
    }

    public void StartAgent()
    {
        _agent?.Dispose();
        _agent = NodeProcess.Start($"agent of {Name}", _tally, _settings.LogFolder, new Dictionary<string, string>(), _settings.Binary, "agent", "--pods", PodList, "--socket", Socket);
    }

    public async Task StartAsync(string istiodFolder)
    {
        StartAgent();
        const string Control = $"{SoakNetwork.BridgeAddress}:15012";
        var environment = new Dictionary<string, string>
        {
            ["NODE_NAME"] = Name,
            ["POD_NAME"] = $"ztunnel-{Name}",
            ["POD_NAMESPACE"] = "istio-system",
            ["INSTANCE_IP"] = _home.Address.ToString(),
            ["INPOD_UDS"] = Socket,
            ["XDS_ADDRESS"] = Control,
            ["CA_ADDRESS"] = Control,
            ["XDS_ROOT_CA"] = Path.Combine(istiodFolder, "root-cert.pem"),
            ["CA_ROOT_CA"] = Path.Combine(istiodFolder, "root-cert.pem"),
            ["AUTH_TOKEN"] = Path.Combine(istiodFolder, $"token-{Name}"),
            ["SECRET_TTL"] = $"{SoakNetwork.CertificateSeconds}s",
            ["RUST_LOG"] = "info",
            ["ZTUNNEL_WORKER_THREADS"] = "2",
            // So that what is unused is gone within seconds, and anything that stays is a leak.
            ["POOL_UNUSED_RELEASE_TIMEOUT"] = "3s",
            ["ZTUNNEL_METRICS_QUIET_PERIOD"] = "3s",
        };
        _ztunnel = NodeProcess.Start($"ztunnel of {Name}", _tally, _settings.LogFolder, environment, "ip", "netns", "exec", _home.Namespace.Name, _settings.Binary, "proxy", "ztunnel");
        await _ztunnel.WaitForLineAsync("marking server ready", StartLimit);
    }

    public async Task<JsonElement> ReadStateAsync()
    {
        using JsonDocument state = JsonDocument.Parse(await _http.GetStringAsync("http://127.0.0.1:15000/debug/state"));
        return state.RootElement.Clone();
    }

    public Task<string> ReadMetricsAsync() => _http.GetStringAsync("http://127.0.0.1:15020/metrics");

    /// <summary>How many pods' proxies have been stopped, connections and all, since the start.</summary>
    public async Task<double> StoppedProxiesAsync() => NodeFigures.Sum((await ReadMetricsAsync()).Split('\n'), "workload_manager_proxies_stopped_total");

    /// <summary>Whether the proxy serves a pod now.</summary>
    public async Task<bool> ServesAsync(string pod) =>
        (await ReadStateAsync()).GetProperty("pods").EnumerateArray().Any(entry => entry.GetProperty("uid").GetString() == pod && entry.GetProperty("state").GetString() == "Up");

    public void Dispose()
    {
        _http.Dispose();
        _ztunnel?.Dispose();
        _agent?.Dispose();
        _home.Dispose();
        Directory.Delete(ResolverFolder, recursive: true);
    }

    private async Task<Stream> ConnectAsync(int port, CancellationToken cancellation)
    {
        Socket socket = _home.OpenTcp();
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
