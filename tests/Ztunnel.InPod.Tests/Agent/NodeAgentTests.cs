using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.InPod.Agent;
using Ztunnel.InPod.Pods;
using Ztunnel.InPod.Redirection;
using Ztunnel.InPod.Tests.Pods;
using Ztunnel.InPod.Zds;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.InPod.Tests.Agent;

/// <summary>Our agent and our proxy side over a real socket, with real namespaces and rules; only the data plane is a recording.</summary>
public sealed class NodeAgentTests : IAsyncLifetime
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"zt-agent-{Guid.NewGuid():N}"[..24]);
    private readonly RecordingLog _log = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<Task> _running = [];
    private readonly List<IAsyncDisposable> _parts = [];

    private string ListPath => Path.Combine(_folder, "pods.json");

    private string SocketPath => Path.Combine(_folder, "zds.sock");

    public Task InitializeAsync()
    {
        Directory.CreateDirectory(_folder);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await _stopping.CancelAsync();
        await Task.WhenAll(_running).WaitAsync(TestCommand.Limit);
        foreach (IAsyncDisposable part in _parts)
            await part.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [NamespaceFact]
    public async Task Run_ListedPods_AreCapturedHandedOverAndReleased()
    {
        using TestNamespace a = TestNamespace.Create("aga");
        using TestNamespace b = TestNamespace.Create("agb");
        Write(("a", a), ("b", b));
        StartAgent();
        RecordingProxyFactory proxy = StartProxy();

        await proxy.WaitForAsync("start a");
        await proxy.WaitForAsync("start b");
        Assert.Empty(await new PodRedirection(a.Path).FindProblemsAsync(new RedirectionOptions(), CancellationToken.None));

        Write(("b", b));
        await proxy.WaitForAsync("stopped a");
        await _log.WaitForAsync("pod released [name, a]");
        Assert.DoesNotContain("ISTIO", a.Run("iptables-save"), StringComparison.Ordinal);
        Assert.Contains("ISTIO", b.Run("iptables-save"), StringComparison.Ordinal);
        Assert.DoesNotContain("stop b", proxy.Events);
    }

    [NamespaceFact]
    public async Task Run_SecondProxy_GetsTheSnapshotAndAllAdditionsWhileDeletionsGoToBoth()
    {
        using TestNamespace a = TestNamespace.Create("aga");
        using TestNamespace b = TestNamespace.Create("agb");
        Write(("a", a));
        StartAgent();
        RecordingProxyFactory old = StartProxy();
        await old.WaitForAsync("start a");

        RecordingProxyFactory next = StartProxy();
        await next.WaitForAsync("start a");
        Write(("a", a), ("b", b));
        await next.WaitForAsync("start b");
        Write(("b", b));
        await Task.WhenAll(old.WaitForAsync("stopped a"), next.WaitForAsync("stopped a"));

        Assert.Equal(["start a", "stop a", "stopped a"], old.Events);
    }

    [NamespaceFact]
    public async Task Run_NamespaceComesLaterOrIsGone_FollowsAndSaysSo()
    {
        TestNamespace late = TestNamespace.Create("agl");
        string path = late.Path;
        late.Dispose();
        File.WriteAllText(ListPath, $$"""{"pods": [{"uid": "late", "name": "late", "namespace": "default", "serviceAccount": "late", "netns": "{{path}}"}]}""");
        StartAgent();
        RecordingProxyFactory proxy = StartProxy();
        await _log.WaitForAsync("network namespace of a listed pod cannot be opened");

        TestCommand.Run(TestCommand.Limit, "ip", "netns", "add", Path.GetFileName(path)).EnsureSucceeded();
        TestCommand.Run(TestCommand.Limit, "ip", "-n", Path.GetFileName(path), "link", "set", "lo", "up").EnsureSucceeded();
        await proxy.WaitForAsync("start late");
        TestCommand.Run(TestCommand.Limit, "ip", "netns", "delete", Path.GetFileName(path)).EnsureSucceeded();
        await proxy.WaitForAsync("stopped late");
    }

    private void StartAgent()
    {
        ZdsListener listener = ZdsListener.Open(SocketPath);
        var server = new ZdsServer(listener, TimeProvider.System, _log);
        var agent = new NodeAgent(ListPath, new RedirectionOptions(), server, TimeProvider.System, _log);
        _parts.AddRange([server, listener]);
        _running.AddRange([server.RunAsync(_stopping.Token), agent.RunAsync(_stopping.Token)]);
    }

    private RecordingProxyFactory StartProxy()
    {
        var factory = new RecordingProxyFactory();
        var pods = new PodSupervisor(factory, TimeProvider.System, new WorkloadManagerMetrics(new MetricRegistry(new MetricSettings { Loops = 1 }, TimeProvider.System)), NullLogger.Instance);
        _parts.Add(pods);
        _running.Add(new ZdsClient(SocketPath, pods, TimeProvider.System, _log).RunAsync(_stopping.Token));
        return factory;
    }

    private void Write(params (string Name, TestNamespace Namespace)[] pods)
    {
        IEnumerable<string> entries = pods.Select(static pod =>
            $$"""{"uid": "{{pod.Name}}", "name": "{{pod.Name}}", "namespace": "default", "serviceAccount": "{{pod.Name}}", "netns": "{{pod.Namespace.Path}}"}""");
        File.WriteAllText(ListPath + ".new", $"{{\"pods\": [{string.Join(", ", entries)}]}}");
        File.Move(ListPath + ".new", ListPath, overwrite: true);
    }
}
