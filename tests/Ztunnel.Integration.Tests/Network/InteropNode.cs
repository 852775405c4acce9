using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Integration.Tests.Network;

/// <summary>A node: a namespace with one published ztunnel in it that serves one captured pod.</summary>
internal sealed class InteropNode(string name, TestNamespace home, TestNamespace pod, InteropMember member) : IDisposable
{
    private TestProcess? _ztunnel;
    private TestProcess? _agent;

    public TestNamespace Pod { get; } = pod;

    public InteropMember Member { get; } = member;

    public TestProcess Ztunnel => _ztunnel ?? throw new InvalidOperationException($"{name} has no ztunnel");

    /// <summary>The published binary; run.sh names it, a developer has it where publish.sh puts it.</summary>
    public static string Binary { get; } = FindBinary();

    /// <summary>Open descriptors of the process: what a connection that was not closed shows in.</summary>
    public int OpenDescriptors => Directory.GetFiles($"/proc/{Ztunnel.Id}/fd").Length;

    /// <param name="folder">Holds the mesh file and root.pem.</param>
    /// <param name="mesh">The mesh file's name.</param>
    /// <param name="network">The network that the node is on.</param>
    /// <param name="keyLog">Where to write the TLS secrets, or null.</param>
    public async Task StartAsync(string folder, string mesh, string network, string? keyLog)
    {
        string pods = Path.Combine(folder, name + ".pods.json");
        File.WriteAllText(pods, $$"""{"pods": [{"uid": "{{Member.Name}}", "name": "{{Member.Name}}", "namespace": "default", "serviceAccount": "{{Member.Name}}", "netns": "{{Pod.Path}}"}]}""");
        string socket = Path.Combine(folder, name + ".sock");
        _agent = TestProcess.Start(Binary, "agent", "--pods", pods, "--socket", socket, "--dns-capture", "false");
        var environment = new Dictionary<string, string>
        {
            ["NODE_NAME"] = name,
            ["XDS_ADDRESS"] = "",
            ["LOCAL_XDS_PATH"] = Path.Combine(folder, mesh),
            ["NETWORK"] = network,
            ["INPOD_UDS"] = socket,
            ["FAKE_CA"] = "true",
            ["ZTUNNEL_FAKE_CA_ROOT"] = Path.Combine(folder, "root.pem"),
            ["ISTIO_META_DNS_CAPTURE"] = "false",
            ["RUST_LOG"] = "info",
            ["UNSTABLE_ENABLE_SOCKS5"] = "true",
            // Tunnels are pooled by loop: with one loop the tests know which tunnel a connection takes.
            ["ZTUNNEL_WORKER_THREADS"] = "1",
        };
        if (keyLog is not null)
            environment["ZTUNNEL_KEY_LOG_FILE"] = keyLog;
        _ztunnel = TestProcess.Start("nsenter", environment, $"--net={home.Path}", Binary, "proxy", "ztunnel");
        await _ztunnel.WaitForLineAsync(static line => line.Contains("marking server ready", StringComparison.Ordinal));
    }

    /// <summary>Waits for the line of the access log that holds all of these.</summary>
    public Task<string> WaitForLogAsync(params string[] parts) => WaitForLogAsync(TestCommand.Limit, parts);

    public Task<string> WaitForLogAsync(TimeSpan limit, params string[] parts) =>
        Ztunnel.WaitForLineAsync(line => parts.All(part => line.Contains(part, StringComparison.Ordinal)), limit);

    /// <summary>How many lines so far hold all of these.</summary>
    public int CountLog(params string[] parts) => Ztunnel.Output.Split('\n').Count(line => parts.All(part => line.Contains(part, StringComparison.Ordinal)));

    /// <summary>Leaves the log of this run beside the test assembly: what a failed test is looked into with.</summary>
    public void Dispose()
    {
        if (_ztunnel is not null)
            File.WriteAllText(Path.Combine(AppContext.BaseDirectory, name + ".log"), _ztunnel.Output + _ztunnel.Error);
        _ztunnel?.Dispose();
        _agent?.Dispose();
        Pod.Dispose();
        home.Dispose();
    }

    private static string FindBinary()
    {
        if (Environment.GetEnvironmentVariable("ZTUNNEL_BINARY") is { Length: > 0 } named)
            return named;
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, "artifacts", "native", "ztunnel");
            if (File.Exists(candidate))
                return candidate;
        }

        throw new InvalidOperationException("no published binary: run src/publish.sh, or name one in ZTUNNEL_BINARY");
    }
}
