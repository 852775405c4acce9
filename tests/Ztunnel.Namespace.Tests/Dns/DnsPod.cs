using Ztunnel.Namespace.Tests.Network;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Dns;

/// <summary>
/// The network of the recorded queries: a pod whose DNS is captured by a dedicated ztunnel that serves DNS alone (ENABLE_PROXY=false), and its resolver outside: dnsmasq behind a program that lies about some names.
/// No PACKET_MARK is set: that nothing loops shows that queries to the resolver are marked all the same.
/// </summary>
public sealed class DnsPod : IAsyncLifetime
{
    private const string Resolver = "10.88.0.254";
    private const string Python = "/usr/bin/python3";

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"zt-dns-{Environment.ProcessId}");
    private TestNamespace? _outside;
    private TestProcess? _dnsmasq;
    private TestProcess? _liar;
    private string? _musl;

    internal TestNamespace Pod { get; private set; } = null!;

    internal TestProcess Ztunnel { get; private set; } = null!;

    private string ResolverFolder => $"/etc/netns/{Pod.Name}";

    public async Task InitializeAsync()
    {
        if (NamespaceSupport.MissingReason is not null)
            return;

        Directory.CreateDirectory(_folder);
        Pod = TestNamespace.Create("dns-pod");
        _outside = TestNamespace.Create("dns-out");
        Pod.ConnectTo(_outside, "eth0", "eth0", ["10.88.0.1/24", "fd88::1/64"], [$"{Resolver}/24"]);
        Pod.Run("ip", "route", "add", "default", "via", Resolver);
        // `ip netns exec` shows it as /etc/resolv.conf.
        Directory.CreateDirectory(ResolverFolder);
        await File.WriteAllTextAsync($"{ResolverFolder}/resolv.conf", $"nameserver {Resolver}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 timeout:2 attempts:1\n");
        _dnsmasq = _outside.Start("/usr/sbin/dnsmasq", "--no-daemon", "--port=5353", "--log-facility=-", $"--conf-file={Recording("upstream.conf")}");
        await StartResolverAsync();
        await Task.Run(() => TestCommand.Run(TimeSpan.FromSeconds(20), TestNode.Binary, "redirect", "install", "--netns", Pod.Path, "--dns-capture", "true").EnsureSucceeded());
        Ztunnel = await StartZtunnelAsync();
    }

    public static string Recording(string file) => Path.Combine(AppContext.BaseDirectory, "Reference", file);

    /// <summary>Builds the look-up program with musl, whose resolver Alpine's images have: A and AAAA at once from one socket, no EDNS.</summary>
    internal string MuslProgram => _musl ??= BuildMuslProgram();

    private string BuildMuslProgram()
    {
        string program = Path.Combine(_folder, "getaddr-musl");
        TestCommand.Run(TimeSpan.FromSeconds(20), "musl-gcc", "-static", "-O1", "-o", program, TestPod.Program("getaddr.c")).EnsureSucceeded();
        return program;
    }

    public async Task StartResolverAsync()
    {
        _liar = _outside!.Start(Python, TestPod.Program("resolver.py"), Resolver, "5353");
        await _liar.WaitForLineAsync(static line => line == "ready");
    }

    public void StopResolver() => _liar?.Dispose();

    /// <summary>Asks all of them, one after the other: `udp HEX` or `tcp HEX`.</summary>
    internal async Task<IReadOnlyList<string>> AskAsync(IEnumerable<string> lines)
    {
        string[] questions = [.. lines];
        using TestProcess asking = Pod.Start(Python, TestPod.Program("dnsask.py"), "127.0.0.1", "15053");
        foreach (string line in questions)
            asking.SendLine(line);
        asking.CloseInput();
        CommandResult result = await Task.Run(() => asking.WaitForEnd(TimeSpan.FromSeconds(20)));
        return result.EnsureSucceeded().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public Task DisposeAsync()
    {
        Ztunnel?.Dispose();
        StopResolver();
        _dnsmasq?.Dispose();
        if (Pod is not null)
            Directory.Delete(ResolverFolder, recursive: true);
        Pod?.Dispose();
        _outside?.Dispose();
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    private async Task<TestProcess> StartZtunnelAsync()
    {
        var environment = new Dictionary<string, string>
        {
            ["PROXY_MODE"] = "dedicated",
            ["PROXY_WORKLOAD_INFO"] = "default/a/a",
            ["ENABLE_PROXY"] = "false",
            ["NODE_NAME"] = "node-a",
            ["XDS_ADDRESS"] = "",
            ["LOCAL_XDS_PATH"] = Recording("mesh.yaml"),
            ["FAKE_CA"] = "true",
            ["ZTUNNEL_FAKE_CA_ROOT"] = Path.Combine(_folder, "root.pem"),
            ["RUST_LOG"] = "info,dns=debug",
        };
        var started = TestProcess.Start("ip", environment, "netns", "exec", Pod.Name, TestNode.Binary, "proxy", "ztunnel");
        await started.WaitForLineAsync(static line => line.Contains("marking server ready", StringComparison.Ordinal));
        return started;
    }
}
