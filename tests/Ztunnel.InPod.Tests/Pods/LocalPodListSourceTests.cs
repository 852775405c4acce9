using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.InPod.Pods;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing.Time;

namespace Ztunnel.InPod.Tests.Pods;

/// <summary>The file changes, the pods follow. "Namespaces" are files of this process's own, which need no privilege to open.</summary>
public sealed class LocalPodListSourceTests : IAsyncLifetime
{
    private const string OwnNamespace = "/proc/self/ns/net";
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"zt-pods-{Guid.NewGuid():N}.json");
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingProxyFactory _proxies = new();
    private readonly RecordingLog _log = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<bool> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PodSupervisor _pods;
    private readonly LocalPodListSource _source;
    private Task _running = Task.CompletedTask;

    public LocalPodListSourceTests()
    {
        _pods = new PodSupervisor(_proxies, _time, new WorkloadManagerMetrics(new MetricRegistry(new MetricSettings { Loops = 1 }, _time)), NullLogger.Instance);
        _source = new LocalPodListSource(_path, _pods, _time, _log);
        _source.ReadinessChanged += ready => _ready.TrySetResult(ready);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running.WaitAsync(TimeSpan.FromSeconds(10));
        await _pods.DisposeAsync();
        File.Delete(_path);
    }

    [Fact]
    public async Task Run_ListThere_StartsItsPodsAndIsReady()
    {
        Write(("a", OwnNamespace), ("b", OwnNamespace));

        Start();

        Assert.True(await _ready.Task.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.True(_source.IsReady);
        Assert.Equal(["start a", "start b"], _proxies.Events);
    }

    [Fact]
    public async Task Run_ListChanges_AddsAndRemoves()
    {
        Write(("a", OwnNamespace), ("b", OwnNamespace));
        Start();
        await _ready.Task.WaitAsync(TimeSpan.FromSeconds(10));

        Write(("b", OwnNamespace), ("c", OwnNamespace));
        _time.Advance(TimeSpan.FromSeconds(1));
        await _proxies.WaitForAsync("start c");

        Assert.Equal(["start a", "start b", "stop a", "stopped a", "start c"], _proxies.Events);
    }

    [Fact]
    public async Task Run_ListBroken_KeepsThePodsUntilItIsMended()
    {
        Write(("a", OwnNamespace));
        Start();
        await _ready.Task.WaitAsync(TimeSpan.FromSeconds(10));

        await File.WriteAllTextAsync(_path, "{\"pods\": [");
        _time.Advance(TimeSpan.FromSeconds(1));
        await _log.WaitForAsync($"{_path}:1: $");
        Write(("a", OwnNamespace), ("b", OwnNamespace));
        _time.Advance(TimeSpan.FromSeconds(1));
        await _proxies.WaitForAsync("start b");

        Assert.Equal(["start a", "start b"], _proxies.Events);
    }

    [Fact]
    public async Task Run_NamespaceNotThereYet_IsOpenedLater()
    {
        string link = _path + ".netns";
        Write(("a", OwnNamespace), ("late", link));
        Start();
        await _ready.Task.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(["start a"], _proxies.Events);
        await _log.WaitForAsync($"open network namespace {link}");

        File.CreateSymbolicLink(link, OwnNamespace);
        try
        {
            Task opened = _proxies.WaitForAsync("start late");
            while (!opened.IsCompleted)
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                await Task.Yield();
            }

            await opened;
        }
        finally
        {
            File.Delete(link);
        }
    }

    [Fact]
    public async Task Run_NoFileYet_WaitsForIt()
    {
        Start();
        Assert.False(_source.IsReady);

        Write(("a", OwnNamespace));
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.True(await _ready.Task.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    private void Start() => _running = _source.RunAsync(_stopping.Token);

    private void Write(params (string Uid, string Netns)[] pods) =>
        File.WriteAllText(_path, $"{{\"pods\": [{string.Join(',', pods.Select(static pod => Entry(pod.Uid, pod.Netns)))}]}}");

    private static string Entry(string uid, string netns) =>
        $"{{\"uid\": \"{uid}\", \"name\": \"{uid}\", \"namespace\": \"default\", \"serviceAccount\": \"{uid}\", \"netns\": \"{netns}\"}}";
}
