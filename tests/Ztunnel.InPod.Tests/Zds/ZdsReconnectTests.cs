using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.InPod.Pods;
using Ztunnel.InPod.Tests.Pods;
using Ztunnel.InPod.Zds;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing.Processes;
using Ztunnel.Testing.Time;

namespace Ztunnel.InPod.Tests.Zds;

/// <summary>An agent that is away, comes late, or takes an answer's time: by the clock of the test.</summary>
public sealed class ZdsReconnectTests : IAsyncLifetime
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"zt-zds-{Guid.NewGuid():N}.sock");
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingProxyFactory _proxies = new();
    private readonly RecordingLog _log = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly PodSupervisor _pods;
    private readonly ZdsClient _client;
    private Task _running = Task.CompletedTask;

    public ZdsReconnectTests()
    {
        _pods = new PodSupervisor(_proxies, _time, new WorkloadManagerMetrics(new MetricRegistry(new MetricSettings { Loops = 1 }, _time)), NullLogger.Instance);
        _client = new ZdsClient(_path, _pods, _time, _log);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running.WaitAsync(TestCommand.Limit);
        await _pods.DisposeAsync();
    }

    [Fact]
    public async Task Connect_NobodyListens_WaitsLongerEachTime()
    {
        _running = _client.RunAsync(_stopping.Token);
        foreach (string delay in (string[])["20ms", "40ms", "80ms", "160ms", "320ms", "640ms", "1.28s", "2.56s", "5.12s", "10.24s", "15s"])
            await AdvanceUntilAsync(_log.WaitForAsync($"over \"{_path}\", is the node agent healthy? details: No such file or directory (os error 2). retrying in {delay}"));

        // A socket appears: the next attempt finds it, and the delays begin anew.
        await using ScriptedAgent agent = ScriptedAgent.Open(_path);
        await AdvanceUntilAsync(agent.AcceptAsync());
        await agent.CompleteSnapshotAsync();
    }

    [Fact]
    public async Task Add_TakesTooLong_IsNotAnsweredAndTheConnectionMadeAnew()
    {
        await using ScriptedAgent agent = ScriptedAgent.Open(_path);
        _proxies.StartGate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _running = _client.RunAsync(_stopping.Token);
        await agent.AcceptAsync();
        await agent.CompleteSnapshotAsync();

        agent.Send(ScriptedAgent.AddOf("slow"), "/proc/self/ns/net");
        await _proxies.WaitForAsync("start slow");
        _time.Advance(TimeSpan.FromSeconds(10));
        _proxies.StartGate.SetResult();

        Assert.Equal("end", await agent.ReceiveAsync());
        await _log.WaitForAsync("a request of the node agent took");
        await agent.AcceptAsync();
    }

    /// <summary>An agent that asks and never reads: its socket's buffer bounds what it gets, and after the limit for one answer it is told by the end of the connection. What runs, stays.</summary>
    [Fact]
    public async Task Answers_AgentNeverReads_ConnectionIsMadeAnew()
    {
        await using ScriptedAgent agent = ScriptedAgent.Open(_path);
        _running = _client.RunAsync(_stopping.Token);
        await agent.AcceptAsync();
        await agent.AddAsync("kept");

        // The answers fill the buffer first (some hundred), then their limit of 5 s has to pass.
        Task<int> asked = Task.Factory.StartNew(() => agent.SendUntilClosed(ScriptedAgent.KeepOf("kept")), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        Assert.InRange(await asked.WaitAsync(TimeSpan.FromSeconds(60)), 100, 100_000);
        await _log.WaitForAsync("the node agent does not take answers");
        await AdvanceUntilAsync(agent.AcceptAsync());
        Assert.Equal("0a00", await agent.AskAsync(ScriptedAgent.KeepOf("kept")));
        Assert.Equal("0a00", await agent.CompleteSnapshotAsync());
        Assert.Equal(["start kept"], _proxies.Events);
    }

    // A delay is armed a moment after its line is logged: the clock moves until what is awaited has happened.
    private async Task AdvanceUntilAsync(Task happened)
    {
        while (!happened.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(10));
            await Task.Yield();
        }

        await happened;
    }
}
