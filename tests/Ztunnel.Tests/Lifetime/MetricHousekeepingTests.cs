using System.Buffers;
using System.Text;
using Ztunnel.Lifetime;
using Ztunnel.Linux.Loop;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing.Time;

namespace Ztunnel.Tests.Lifetime;

/// <summary>Series follow the living workloads: 10,000 connections with distinct label sets come and go, and so do their series and their memory.</summary>
[Collection(AloneCollection.Name)]
public sealed class MetricHousekeepingTests
{
    private const int Connections = 10_000;

    // 10,000 series hold some 11 MiB; a tenth of that may have other reasons.
    private const long ToleratedBytes = 1024 * 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Series_TenThousandComeAndGo_AreGoneAfterTheQuietPeriodWithTheirMemory()
    {
        var time = new ManualTimeProvider();
        TimeSpan quiet = TimeSpan.FromHours(1);
        using LoopGroup loops = LoopGroup.Start(2);
        var metrics = new MetricRegistry(new MetricSettings { Loops = 2, QuietPeriod = quiet }, time);
        var traffic = new TrafficMetrics(metrics);
        using var housekeeping = new MetricHousekeeping(metrics, loops, time);
        await ConnectAsync(loops, traffic, count: 1);
        long before = GC.GetTotalMemory(forceFullCollection: true);

        await ConnectAsync(loops, traffic, Connections);
        Assert.Equal(Connections, CountSeries(metrics));
        long held = GC.GetTotalMemory(forceFullCollection: true) - before;
        time.Advance(quiet / 2);
        Assert.Equal(Connections, CountSeries(metrics));
        // Looks of the timer; nobody scrapes.
        for (int look = 0; look < 4; look++)
            time.Advance(quiet / 4);
        await OnLoopsAsync(loops, static _ => { });
        long after = GC.GetTotalMemory(forceFullCollection: true) - before;

        Assert.Equal(0, CountSeries(metrics));
        Assert.True(held > 4 * ToleratedBytes, $"{held} bytes held by {Connections} series");
        Assert.True(after < ToleratedBytes, $"{after} bytes left of {held}");
    }

    /// <summary>The same with the clock of the machine.</summary>
    [Fact]
    public async Task Series_InRealTime_DisappearByThemselves()
    {
        using LoopGroup loops = LoopGroup.Start(1);
        var metrics = new MetricRegistry(new MetricSettings { Loops = 1, QuietPeriod = TimeSpan.FromSeconds(1) }, TimeProvider.System);
        var traffic = new TrafficMetrics(metrics);
        using var housekeeping = new MetricHousekeeping(metrics, loops, TimeProvider.System);
        await ConnectAsync(loops, traffic, Connections);
        Assert.Equal(Connections, CountSeries(metrics));

        using var limit = new CancellationTokenSource(Patience);
        while (CountSeries(metrics) > 0)
        {
            limit.Token.ThrowIfCancellationRequested();
            // A turn of the loop: it lets go of what the timer has retired.
            await OnLoopsAsync(loops, static _ => { });
        }
    }

    /// <summary>A period no timer reaches ends the daemon's start otherwise.</summary>
    [Fact]
    public void Start_QuietPeriodOfYears_IsTaken()
    {
        using LoopGroup loops = LoopGroup.Start(1);
        var metrics = new MetricRegistry(new MetricSettings { Loops = 1, QuietPeriod = TimeSpan.FromDays(1000) }, TimeProvider.System);

        new MetricHousekeeping(metrics, loops, TimeProvider.System).Dispose();
    }

    private static Task ConnectAsync(LoopGroup loops, TrafficMetrics traffic, int count) => OnLoopsAsync(loops, loop =>
    {
        for (int i = loop; i < count; i += loops.Loops.Count)
        {
            TrafficConnection connection = traffic.Opened(loop, Labels(count == 1 ? "first" : $"client-{i}"));
            connection.AddReceived(100);
            connection.Close(ResponseFlag.None);
        }
    });

    private static TrafficLabels Labels(string source) => new(
        Reporter.Destination, WorkloadLabels.FromRecord(source, source, "v1", "default", "Kubernetes", "r1", "z1"), $"spiffe://cluster.local/ns/default/sa/{source}",
        WorkloadLabels.FromRecord("server", "server", "v1", "default", "Kubernetes", "r1", "z1"), "spiffe://cluster.local/ns/default/sa/server", service: null, mutualTls: true);

    private static int CountSeries(MetricRegistry metrics)
    {
        var buffer = new ArrayBufferWriter<byte>();
        metrics.Write(buffer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan).Split('\n')
            .Count(line => line.StartsWith("istio_tcp_connections_opened_total{", StringComparison.Ordinal) && line.Contains("source_workload=\"client-", StringComparison.Ordinal));
    }

    private static async Task OnLoopsAsync(LoopGroup loops, Action<int> action)
    {
        foreach (EventLoop loop in loops.Loops)
        {
            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            loop.Post(_ =>
            {
                action(loop.Index);
                done.SetResult();
            }, null);
            await done.Task.WaitAsync(Patience);
        }
    }
}

/// <summary>Tests that measure the memory of the process run while nothing else does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}
