using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.InPod.Pods;
using Ztunnel.Linux.Namespaces;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Time;

namespace Ztunnel.InPod.Tests.Pods;

public sealed class PodSupervisorTests : IAsyncDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingProxyFactory _proxies = new();
    private readonly MetricRegistry _registry;
    private readonly PodSupervisor _pods;

    public PodSupervisorTests()
    {
        _registry = new MetricRegistry(new MetricSettings { Loops = 1 }, _time);
        _pods = new PodSupervisor(_proxies, _time, new WorkloadManagerMetrics(_registry), NullLogger.Instance);
    }

    [Fact]
    public async Task Add_NewPod_IsUp()
    {
        PodStartResult result = await _pods.AddAsync(Pod("a"), OwnNamespace(), CancellationToken.None);

        Assert.True(result.Succeeded);
        Assert.Equal([new PodStatus(Pod("a"), PodState.Up, Failure: null)], _pods.Pods);
        Assert.Equal((1, 0), (_pods.UpCount, _pods.PendingCount));
    }

    [Fact]
    public async Task Add_SamePodInSameNamespace_KeepsItsProxy()
    {
        await _pods.AddAsync(Pod("a"), OwnNamespace(), CancellationToken.None);

        PodStartResult again = await _pods.AddAsync(Pod("a"), OwnNamespace(), CancellationToken.None);

        Assert.True(again.Succeeded);
        Assert.Equal(["start a"], _proxies.Events);
    }

    [NamespaceFact]
    public async Task Add_SamePodInOtherNamespace_ReplacesItsProxyWithoutWaiting()
    {
        using TestNamespace other = TestNamespace.Create("other");
        await _pods.AddAsync(Pod("a"), OwnNamespace(), CancellationToken.None);

        PodStartResult again = await _pods.AddAsync(Pod("a"), NetworkNamespace.Open(other.Path), CancellationToken.None);

        Assert.True(again.Succeeded);
        Assert.Equal(["start a", "stop a", "stopped a", "start a"], _proxies.Events);
        Assert.Equal(1, _pods.UpCount);
    }

    [Fact]
    public async Task Add_SamePodWithOtherServiceAccount_ReplacesItsProxy()
    {
        await _pods.AddAsync(Pod("a"), OwnNamespace(), CancellationToken.None);

        await _pods.AddAsync(Pod("a") with { ServiceAccount = "other" }, OwnNamespace(), CancellationToken.None);

        Assert.Equal(["start a", "stop a", "stopped a", "start a"], _proxies.Events);
    }

    [Fact]
    public async Task Add_ProxyDoesNotStart_IsPendingAndRetriedEveryFiveSeconds()
    {
        _proxies.Failures["a"] = "bind [::]:15008: Address already in use (os error 98)";
        PodStartResult result = await _pods.AddAsync(Pod("a"), OwnNamespace(), CancellationToken.None);
        await _pods.AddAsync(Pod("b"), OwnNamespace(), CancellationToken.None);

        Assert.Equal("bind [::]:15008: Address already in use (os error 98)", result.Failure);
        Assert.Equal((1, 1), (_pods.UpCount, _pods.PendingCount));

        _time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Equal(["start a", "start b"], _proxies.Events);

        // Still failing: the next round comes five seconds later.
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal(["start a", "start b", "start a"], _proxies.Events);

        _proxies.Failures.Clear();
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal((2, 0), (_pods.UpCount, _pods.PendingCount));
        _time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal(["start a", "start b", "start a", "start a"], _proxies.Events);
    }

    [Fact]
    public async Task Retry_RoundTakesLongerThanThePeriod_PodThatFailedInItIsTriedAgain()
    {
        _proxies.Failures["a"] = _proxies.Failures["b"] = "no";
        foreach (string uid in (string[])["a", "b"])
            await _pods.AddAsync(Pod(uid), OwnNamespace(), CancellationToken.None);
        _proxies.Failures.Clear();
        var gate = new TaskCompletionSource();
        string? first = null;
        _proxies.Starting = uid => (first ??= uid) == uid ? throw new IOException("no") : gate.Task;

        // The first of the round fails at once, the second comes up only after the next round's time.
        _time.Advance(TimeSpan.FromSeconds(5));
        _time.Advance(TimeSpan.FromSeconds(5));
        _proxies.Starting = null;
        gate.SetResult();

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (_pods.UpCount < 2)
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
            _time.Advance(TimeSpan.FromSeconds(5));
        }
    }

    [Fact]
    public async Task Add_ProxyHangs_IsGivenUpBeforeTheAgentWould()
    {
        _proxies.Hanging = "a";
        Task<PodStartResult> adding = _pods.AddAsync(Pod("a"), OwnNamespace(), CancellationToken.None);

        _time.Advance(TimeSpan.FromSeconds(4));

        Assert.Equal("its proxy did not start within 4 s", (await adding).Failure);
    }

    [Fact]
    public async Task Remove_PendingPod_IsNotRetried()
    {
        _proxies.Failures["a"] = "no";
        await _pods.AddAsync(Pod("a"), OwnNamespace(), CancellationToken.None);

        Assert.True(await _pods.RemoveAsync("a", CancellationToken.None));

        _time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal(["start a"], _proxies.Events);
        Assert.Empty(_pods.Pods);
    }

    [Fact]
    public async Task Remove_RunningPod_StopsAtOnce()
    {
        await _pods.AddAsync(Pod("a"), OwnNamespace(), CancellationToken.None);

        Assert.True(await _pods.RemoveAsync("a", CancellationToken.None));
        Assert.False(await _pods.RemoveAsync("a", CancellationToken.None));

        Assert.Equal(["start a", "stop a", "stopped a"], _proxies.Events);
    }

    [Fact]
    public async Task Retain_SnapshotWithoutAPod_RemovesItWhateverItsState()
    {
        _proxies.Failures["pending"] = "no";
        foreach (string uid in (string[])["kept", "gone", "pending"])
            await _pods.AddAsync(Pod(uid), OwnNamespace(), CancellationToken.None);

        await _pods.RetainAsync(new HashSet<string> { "kept", "never seen" }, CancellationToken.None);

        Assert.Equal(["kept"], _pods.Pods.Select(static pod => pod.Pod.Uid));
        Assert.Equal(["stop gone", "stopped gone"], _proxies.Events[3..]);
    }

    [Fact]
    public async Task Stop_Graceful_DrainsAllSideBySideAndWaitsForThem()
    {
        _proxies.StopGate = new TaskCompletionSource();
        await _pods.AddAsync(Pod("a"), OwnNamespace(), CancellationToken.None);
        await _pods.AddAsync(Pod("b"), OwnNamespace(), CancellationToken.None);

        Task stopping = _pods.StopAsync(graceful: true);
        await _proxies.WaitForAsync("drain a");
        await _proxies.WaitForAsync("drain b");
        Assert.False(stopping.IsCompleted);
        _proxies.StopGate.SetResult();
        await stopping.WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal("shutting down", (await _pods.AddAsync(Pod("c"), OwnNamespace(), CancellationToken.None)).Failure);
        Assert.Empty(_pods.Pods);
    }

    [Fact]
    public async Task Metrics_PodsComeAndGo_AreCounted()
    {
        _proxies.Failures["b"] = "no";
        await _pods.AddAsync(Pod("a"), OwnNamespace(), CancellationToken.None);
        await _pods.AddAsync(Pod("b"), OwnNamespace(), CancellationToken.None);
        await _pods.AddAsync(Pod("c"), OwnNamespace(), CancellationToken.None);
        await _pods.RemoveAsync("c", CancellationToken.None);

        Assert.Equal(
            ["workload_manager_active_proxy_count 1", "workload_manager_pending_proxy_count 1", "workload_manager_proxies_started_total 2", "workload_manager_proxies_stopped_total 1"],
            Scrape().Where(static line => line.StartsWith("workload_manager", StringComparison.Ordinal)));
    }

    public ValueTask DisposeAsync() => _pods.DisposeAsync();

    private static PodIdentity Pod(string uid) => new(uid, uid, "default", uid);

    // Any namespace will do where none is entered.
    private static NetworkNamespace OwnNamespace() => NetworkNamespace.Open("/proc/self/ns/net");

    private string[] Scrape()
    {
        var text = new System.Buffers.ArrayBufferWriter<byte>();
        _registry.Write(text);
        return System.Text.Encoding.UTF8.GetString(text.WrittenSpan).Split('\n');
    }
}
