using System.Diagnostics;
using System.Globalization;
using Ztunnel.Endurance.Churn;
using Ztunnel.Endurance.Figures;
using Ztunnel.Endurance.Load;
using Ztunnel.Endurance.Network;

namespace Ztunnel.Endurance;

/// <summary>Warm-up, rest, baseline; load and churn for the time asked for; rest again, and nothing may be left.</summary>
internal sealed class SoakRun(SoakSettings settings)
{
    private static readonly TimeSpan ReportPeriod = TimeSpan.FromSeconds(60);
    private readonly Tally _tally = new();
    private readonly long _started = Stopwatch.GetTimestamp();

    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(CancellationToken stopping)
    {
        Say($"{settings.Duration.TotalMinutes.ToString("0.#", CultureInfo.InvariantCulture)} minutes after {settings.WarmUp.TotalSeconds:0} s of warm-up, seed {settings.Seed}, {settings.Binary}");
        await using var network = new SoakNetwork(settings, _tally);
        await network.StartAsync();
        var check = new LeakCheck(network.Nodes);
        Say("two nodes are ready");
        await LoadAsync(network, settings.WarmUp, isWarmUp: true, stopping);
        await check.TakeBaselineAsync();
        Say($"baseline taken; {Sums()}");
        long began = Stopwatch.GetTimestamp();
        await LoadAsync(network, settings.Duration, isWarmUp: false, stopping);
        TimeSpan loaded = Stopwatch.GetElapsedTime(began);
        IReadOnlyList<string> leaks = await check.FindLeaksAsync(Say);
        Say(_tally.Counts);
        foreach (string leak in leaks)
            Say($"FAILED: {leak}");
        if (_tally.ViolationCount + leaks.Count > 0)
        {
            foreach (SoakNode node in network.Nodes)
                Say($"the end of the log of {node.Name}:\n{node.LatestLog}");
        }

        Console.WriteLine($"endurance: {loaded.TotalMinutes.ToString("0.0", CultureInfo.InvariantCulture)} minutes, {Sums()}, failures {_tally.ViolationCount}, leaks {leaks.Count}");
        return _tally.ViolationCount + leaks.Count == 0 && _tally.VerifiedBytes > 0 ? 0 : 1;
    }

    /// <summary>Load and churn at once; when it completes, every connection has ended and the mesh is as it was.</summary>
    private async Task LoadAsync(SoakNetwork network, TimeSpan duration, bool isWarmUp, CancellationToken stopping)
    {
        int seed = isWarmUp ? settings.Seed + 1 : settings.Seed;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var turmoil = new Turmoil(network, _tally, seed, ending.Token);
        Task running = Task.WhenAll(new LoadMix(network, _tally, seed, isWarmUp, ending.Token).RunAsync(), turmoil.RunAsync());
        long began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) is var passed && passed < duration && !stopping.IsCancellationRequested && !running.IsFaulted)
        {
            await Pace.PassAsync(duration - passed < ReportPeriod ? duration - passed : ReportPeriod, stopping);
            Say($"{Sums()}, failures {_tally.ViolationCount}");
        }

        await ending.CancelAsync();
        await running;
        await turmoil.RestoreAsync();
    }

    private string Sums() => string.Create(CultureInfo.InvariantCulture, $"{_tally.Connections} connections, {_tally.VerifiedBytes / 1e9:0.00} GB verified, {_tally.ChurnEvents} churn events");

    private void Say(string what) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{Stopwatch.GetElapsedTime(_started).TotalSeconds,6:0.0}] {what}"));
}
