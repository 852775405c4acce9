using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Network;

/// <summary>A node: a namespace of its own with one published ztunnel in it, which serves the node's pods.</summary>
internal sealed class TestNode(TestNamespace network, string name, string folder) : IDisposable
{
    private TestProcess? _ztunnel;
    private TestProcess? _agent;

    public TestNamespace Namespace { get; } = network;

    public string Name { get; } = name;

    /// <summary>Where the node agent waits for the proxy.</summary>
    public string Socket { get; } = Path.Combine(folder, $"{name}.sock");

    public string PodList { get; } = Path.Combine(folder, $"{name}.pods.json");

    public TestProcess Ztunnel => _ztunnel ?? throw new InvalidOperationException($"{Name} has no ztunnel");

    /// <summary>The published binary; run.sh names it, a developer has it where publish.sh puts it.</summary>
    public static string Binary { get; } = FindBinary();

    public void WritePods(IEnumerable<TestPod> pods)
    {
        IEnumerable<string> entries = pods.Where(pod => pod.Node == Name).Select(static pod =>
            $$"""{"uid": "{{pod.Name}}", "name": "{{pod.Name}}", "namespace": "default", "serviceAccount": "{{pod.Name}}", "netns": "{{pod.Namespace.Path}}"}""");
        File.WriteAllText(PodList + ".new", $"{{\"pods\": [\n{string.Join(",\n", entries)}\n]}}\n");
        File.Move(PodList + ".new", PodList, overwrite: true);
    }

    /// <param name="meshFile">The node's mesh.</param>
    /// <param name="more">Variables beside the usual ones.</param>
    public async Task StartAsync(string meshFile, params (string Name, string Value)[] more)
    {
        Dictionary<string, string> environment = FileMeshVariables.With(meshFile, folder, [("NODE_NAME", Name), ("INPOD_UDS", Socket)], more);
        StartAgent();
        _ztunnel = TestProcess.Start("nsenter", environment, $"--net={Namespace.Path}", Binary, "proxy", "ztunnel");
        await _ztunnel.WaitForLineAsync(static line => line.Contains("marking server ready", StringComparison.Ordinal));
    }

    public void StartAgent() => _agent = TestProcess.Start(Binary, "agent", "--pods", PodList, "--socket", Socket, "--dns-capture", "false");

    /// <summary>The node agent dies.</summary>
    public void StopAgent() => _agent?.Dispose();

    /// <summary>Waits for an access log line (or any other) that holds all of these.</summary>
    public Task<string> WaitForLogAsync(params string[] parts) =>
        Ztunnel.WaitForLineAsync(line => parts.All(part => line.Contains(part, StringComparison.Ordinal)));

    /// <summary>The sum over the series of one family whose labels hold all of these.</summary>
    public async Task<double> ReadMetricAsync(string family, params string[] labels) => SumOf(await ScrapeAsync(), family, labels);

    /// <summary>All metrics as they are now.</summary>
    public Task<string> ScrapeAsync() => Task.Run(() => Namespace.Run("curl", "-sS", "--max-time", "5", "http://127.0.0.1:15020/metrics"));

    public static double SumOf(string scrape, string family, params string[] labels) => scrape.Split('\n')
        .Where(line => line.StartsWith(family + "{", StringComparison.Ordinal) && labels.All(label => line.Contains(label, StringComparison.Ordinal)))
        .Sum(static line => double.Parse(line.AsSpan(line.LastIndexOf(' ') + 1), System.Globalization.CultureInfo.InvariantCulture));

    public void Dispose()
    {
        _ztunnel?.Dispose();
        _agent?.Dispose();
        Namespace.Dispose();
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
