using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.InPod.Pods;
using Ztunnel.InPod.Tests.Pods;
using Ztunnel.InPod.Zds;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing.Processes;

namespace Ztunnel.InPod.Tests.Zds;

/// <summary>The exchange with the node agent, byte by byte as the existing program was recorded, and what becomes of it when the agent does not keep the rules.</summary>
public sealed class ZdsClientTests : IAsyncLifetime
{
    private const string OwnNamespace = "/proc/self/ns/net";
    private const string Success = "0a00";

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"zt-zds-{Guid.NewGuid():N}.sock");
    private readonly RecordingProxyFactory _proxies = new();
    private readonly RecordingLog _log = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly PodSupervisor _pods;
    private readonly ZdsClient _client;
    private readonly ScriptedAgent _agent;
    private Task _running = Task.CompletedTask;

    public ZdsClientTests()
    {
        _pods = new PodSupervisor(_proxies, TimeProvider.System, new WorkloadManagerMetrics(new MetricRegistry(new MetricSettings { Loops = 1 }, TimeProvider.System)), NullLogger.Instance);
        _client = new ZdsClient(_path, _pods, TimeProvider.System, _log);
        _agent = ScriptedAgent.Open(_path);
    }

    public static TheoryData<string, string[], string> UnreadableMessages => new()
    {
        { ScriptedAgent.AddOf("uid-a"), [], "failure to read message : No control message" },
        { ScriptedAgent.AddOf("uid-a"), [OwnNamespace, OwnNamespace], "failure to read message : Expected 1 FD, got 2" },
        { ScriptedAgent.DeleteOf("uid-a"), [OwnNamespace], "failure to read message : Unexpected control message" },
        { "1a00", [OwnNamespace], "failure to read message : Unexpected control message" },
        { "4a0178", [], "failure to read message : no payload" },
        { "ffffff", [], "failure to read message : failed to decode Protobuf message: " },
        { ScriptedAgent.AddOf("uid-a")[..20], [OwnNamespace], "failure to read message : failed to decode Protobuf message: " },
        { "0a070a057569642d61", [OwnNamespace], "failure to process message : ProtocolError(\"workload_info is required but not present\")" },
        { ScriptedAgent.AddOf(""), [OwnNamespace], "failure to process message : ProtocolError(\"uid is required but not present\")" },
    };

    public async Task InitializeAsync()
    {
        _running = _client.RunAsync(_stopping.Token);
        await _agent.AcceptAsync();
    }

    public async Task DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running.WaitAsync(TestCommand.Limit);
        await _agent.DisposeAsync();
        await _pods.DisposeAsync();
    }

    [Fact]
    public async Task Snapshot_AddKeepSent_IsAnsweredByteForByte()
    {
        Assert.Equal("0a180a057569642d61120f0a0161120764656661756c741a0161", ScriptedAgent.AddOf("uid-a"));

        Assert.Equal(Success, await _agent.AddAsync("uid-a"));
        Assert.Equal(Success, await _agent.AskAsync(ScriptedAgent.KeepOf("uid-gone")));
        Assert.Equal((true, false), (_client.IsConnected, _client.IsReady));
        Assert.Equal(Success, await _agent.CompleteSnapshotAsync());
        Assert.Equal(Success, await _agent.AddAsync("uid-b"));
        Assert.Equal(Success, await _agent.AddAsync("uid-b"));
        Assert.Equal(Success, await _agent.AskAsync("12081206" + "6e6f626f6479"));

        Assert.True(_client.IsReady);
        Assert.Equal(["start uid-a", "start uid-b"], _proxies.Events);
        Assert.Equal(new PodIdentity("uid-a", "a", "default", "a"), _pods.Pods[0].Pod);
    }

    [Fact]
    public async Task Delete_RunningPod_StopsItAtOnce()
    {
        await _agent.AddAsync("uid-a");
        await _agent.CompleteSnapshotAsync();

        Assert.Equal(Success, await _agent.AskAsync(ScriptedAgent.DeleteOf("uid-a")));

        Assert.Contains("stop uid-a", _proxies.Events);
        Assert.Empty(_pods.Pods);
    }

    [Theory]
    [MemberData(nameof(UnreadableMessages))]
    public async Task Message_ThatCannotBeUsed_IsRefusedAndTheConnectionMadeAnew(string hex, string[] descriptors, string expected)
    {
        await _agent.AddAsync("uid-kept");
        await _agent.CompleteSnapshotAsync();

        string error = await _agent.AskForErrorAsync(hex, descriptors);

        Assert.StartsWith(expected, error, StringComparison.Ordinal);
        Assert.Equal("end", await _agent.ReceiveAsync());
        await _agent.AcceptAsync();
        Assert.Equal(["start uid-kept"], _proxies.Events);
        Assert.False(_client.IsReady);
        Assert.Equal(Success, await _agent.AddAsync("uid-kept"));
        Assert.Equal(Success, await _agent.CompleteSnapshotAsync());
        Assert.Equal(["start uid-kept"], _proxies.Events);
    }

    [Fact]
    public async Task Snapshot_MessagesOfIt_AfterItsEnd_AreProtocolErrors()
    {
        await _agent.CompleteSnapshotAsync();

        Assert.Equal("failure to process message : ProtocolError(\"pod keep received after snapshot\")", await _agent.AskForErrorAsync(ScriptedAgent.KeepOf("uid-q")));
        await _agent.AcceptAsync();
        await _agent.CompleteSnapshotAsync();
        Assert.Equal("failure to process message : ProtocolError(\"pod snapshot received already\")", await _agent.AskForErrorAsync("1a00"));
        await _agent.AcceptAsync();
        await _log.WaitForAsync("ProtocolError(\"pod snapshot received already\")");
    }

    [Fact]
    public async Task Snapshot_AfterReconnect_DropsWhatItDoesNotName()
    {
        await _agent.AddAsync("a");
        await _agent.AddAsync("b");
        await _agent.AddAsync("c");
        await _agent.AddAsync("d");
        await _agent.CompleteSnapshotAsync();

        await _agent.CloseConnectionAsync();
        await _agent.AcceptAsync();
        Assert.False(_client.IsReady);
        await _agent.AddAsync("a");
        await _agent.AskAsync(ScriptedAgent.KeepOf("b"));
        await _agent.AddAsync("d");
        await _agent.AskAsync(ScriptedAgent.DeleteOf("d"));
        Assert.Contains(_pods.Pods, static pod => pod.Pod.Uid == "c");
        await _agent.CompleteSnapshotAsync();

        Assert.Equal(["a", "b"], _pods.Pods.Select(static pod => pod.Pod.Uid));
        Assert.True(_client.IsReady);
    }

    [Fact]
    public async Task Session_FailsUnexpectedly_IsFollowedByAnother()
    {
        bool hasFailed = false;
        _client.ReadinessChanged += isReady =>
        {
            if (!isReady || hasFailed)
                return;
            hasFailed = true;
            throw new InvalidOperationException("nobody expected this");
        };

        _agent.Send("1a00");
        await _log.WaitForAsync("a session with the node agent failed unexpectedly");
        await _agent.AcceptAsync();
        Assert.Equal(Success, await _agent.CompleteSnapshotAsync());

        Assert.True(_client.IsReady);
    }

    [Fact]
    public async Task Add_ProxyDoesNotStart_IsRefusedAndOthersGoOn()
    {
        _proxies.Failures["uid-x"] = "bind [::]:15008: Address already in use";

        Assert.Equal("failure to start proxy : bind [::]:15008: Address already in use", await _agent.AskForErrorAsync(ScriptedAgent.AddOf("uid-x"), OwnNamespace));
        Assert.Equal(Success, await _agent.AddAsync("uid-a"));
        Assert.Equal(Success, await _agent.CompleteSnapshotAsync());

        Assert.Equal((1, 1), (_pods.UpCount, _pods.PendingCount));
        // One pod that cannot start does not make the node unready.
        Assert.True(_client.IsReady);
    }

    [Fact]
    public async Task Add_DescriptorIsNoNamespace_IsRefusedOnTheSameConnection()
    {
        Assert.Equal(
            "failure to start proxy : the descriptor received is not a network namespace: Invalid argument (os error 22)",
            await _agent.AskForErrorAsync(ScriptedAgent.AddOf("uid-a"), "/etc/hostname"));

        Assert.Equal(Success, await _agent.CompleteSnapshotAsync());
        Assert.Empty(_pods.Pods);
    }

    [Fact]
    public async Task Add_LongFailure_FitsTheAgentsBuffer()
    {
        _proxies.Failures["uid-x"] = string.Concat(Enumerable.Repeat("ü€", 2000));

        string answer = await _agent.AskAsync(ScriptedAgent.AddOf("uid-x"), OwnNamespace);

        Assert.InRange(answer.Length / 2, 800, 1024);
    }

    [Fact]
    public async Task Descriptors_OfRefusedMessages_AreClosed()
    {
        await _agent.CompleteSnapshotAsync();
        int before = CountNamespaceDescriptors();
        for (int round = 0; round < 5; round++)
        {
            await _agent.AskForErrorAsync(ScriptedAgent.DeleteOf("uid-a"), [.. Enumerable.Repeat(OwnNamespace, 50)]);
            await _agent.AcceptAsync();
            await _agent.CompleteSnapshotAsync();
        }

        Assert.InRange(CountNamespaceDescriptors(), 0, before + 2);
    }

    [Fact]
    public async Task Flood_WithoutWaitingForAnswers_IsAnsweredInOrder()
    {
        await _agent.CompleteSnapshotAsync();
        for (int pod = 0; pod < 40; pod++)
        {
            _agent.Send(ScriptedAgent.AddOf($"p{pod}"), OwnNamespace);
            _agent.Send(ScriptedAgent.DeleteOf($"p{pod}"));
        }

        for (int answer = 0; answer < 80; answer++)
            Assert.Equal(Success, await _agent.ReceiveAsync());
        Assert.Empty(_pods.Pods);
    }

    [Fact]
    public async Task Stop_Connected_ClosesWithoutAWord()
    {
        await _agent.AddAsync("uid-a");
        await _agent.CompleteSnapshotAsync();

        await _stopping.CancelAsync();

        Assert.Equal("end", await _agent.ReceiveAsync());
        await _running.WaitAsync(TestCommand.Limit);
        Assert.Equal(["start uid-a"], _proxies.Events);
    }

    private static int CountNamespaceDescriptors() =>
        Directory.GetFiles("/proc/self/fd").Count(IsNamespace);

    private static bool IsNamespace(string descriptor)
    {
        try
        {
            return File.ResolveLinkTarget(descriptor, returnFinalTarget: false)?.Name.StartsWith("net:", StringComparison.Ordinal) == true;
        }
        catch (FileNotFoundException)
        {
            return false; // closed since it was listed: tests run side by side
        }
    }
}
