using System.Globalization;
using System.Text.Json;
using Ztunnel.LoadBench.Measurement;
using Ztunnel.LoadBench.Subjects;
using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Scenarios;

/// <summary>One subject in its testbed with its application: starts and restarts the proxies, and runs the load client against them.</summary>
internal sealed class SubjectBench : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(15);

    private readonly SubjectContext _context;
    private readonly string _counter;
    private BackgroundProcess? _server;
    private ProxyPair? _pair;

    private SubjectBench(Subject subject, SubjectContext context)
    {
        Subject = subject;
        _context = context;
        _counter = Path.Combine(context.Folder, "swallowed");
    }

    public Subject Subject { get; }

    /// <summary>Both proxies and what they started.</summary>
    public int[] Processes => [.. _pair?.Processes.SelectMany(static process => process.Family) ?? []];

    private Testbed Bed => _context.Bed;

    public static async Task<SubjectBench> StartAsync(Subject subject, Func<Testbed, SubjectContext> describe, string congestionControl, CancellationToken cancellation)
    {
        Testbed bed = await Testbed.CreateAsync(subject.Name, congestionControl, subject.IsCaptured);
        var bench = new SubjectBench(subject, describe(bed));
        try
        {
            await subject.PrepareAsync(bed);
            bench._server = BackgroundProcess.Start(Path.Combine(bench._context.Folder, "application.log"), new Dictionary<string, string>(),
                "ip", "netns", "exec", bed.Server, bench._context.Binaries.Bench, "serve", "--listen", $"0.0.0.0:{Testbed.ApplicationPort}", "--counter", bench._counter);
            await bench.StartPairAsync(cancellation);
        }
        catch
        {
            await bench.DisposeAsync();
            throw;
        }

        return bench;
    }

    public async Task<LoadResult> RunAsync(Scenario scenario, CancellationToken cancellation)
    {
        await PrepareAsync(scenario, cancellation);
        return await LoadAsync(scenario.Load(Subject), scenario.WarmUp, scenario.Measured, scenario.SetupLimit, cancellation);
    }

    /// <summary>Starts the proxies anew where the scenario needs that: memory at rest again, and no destination known.</summary>
    public async Task PrepareAsync(Scenario scenario, CancellationToken cancellation)
    {
        if (scenario.NeedsNewPair)
        {
            await StopPairAsync();
            await StartPairAsync(cancellation);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopPairAsync();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        await Bed.DisposeAsync();
    }

    private async Task StartPairAsync(CancellationToken cancellation)
    {
        _pair = await Subject.StartAsync(_context);
        await WaitUntilServingAsync(cancellation);
        if (Subject.IsCaptured && await Bed.CountCapturedAsync() == 0)
        {
            throw new BenchException($"{Subject.Name}: an echo came back without having been captured");
        }
    }

    private async Task StopPairAsync()
    {
        if (_pair is not null)
        {
            await _pair.DisposeAsync();
            _pair = null;
        }
    }

    /// <summary>The pair serves when a byte sent by the client comes back through it.</summary>
    private async Task WaitUntilServingAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(StartLimit);
        BenchException? last = null;
        while (!limit.IsCancellationRequested)
        {
            if (_pair!.Processes.FirstOrDefault(static process => process.HasExited) is { } ended)
            {
                throw new BenchException($"{Subject.Name}: a proxy ended at once:\n{ended.LogTail()}");
            }

            try
            {
                await LoadAsync(["--kind", "echo", "--connections", "1", "--bytes", "1"], TimeSpan.Zero, TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(10), cancellation);
                return;
            }
            catch (BenchException exception)
            {
                last = exception;
                await Task.Delay(50, cancellation);
            }
        }

        throw new BenchException($"{Subject.Name}: no echo within {StartLimit.TotalSeconds} s: {last?.Message}\n{LogTails()}");
    }

    private async Task<LoadResult> LoadAsync(string[] load, TimeSpan warmUp, TimeSpan measured, TimeSpan setup, CancellationToken cancellation)
    {
        string[] arguments =
        [
            "netns", "exec", Bed.Client, _context.Binaries.Bench, "load", "--target", $"{Testbed.ServerAddress}:{Testbed.ApplicationPort}", .. load,
            "--warm-up", Text(warmUp.TotalSeconds), "--seconds", Text(measured.TotalSeconds), "--counter", _counter,
            "--watch", _pair!.Watch, "--server", Text(_server!.Id),
        ];
        string output = await Command.RunAsync(setup + warmUp + measured, "ip", arguments, cancellation);
        LoadResult result = JsonSerializer.Deserialize(output, LoadResultJson.Default.LoadResult) ?? throw new BenchException("the load client printed nothing");
        if (result is { Operations: 0, Bytes: 0, Memory.Length: 0 } && measured > TimeSpan.FromSeconds(0.5))
        {
            throw new BenchException($"{Subject.Name}: nothing arrived within {measured.TotalSeconds} s\n{LogTails()}");
        }

        return result.Errors == 0 ? result : throw new BenchException($"{Subject.Name}: {result.Errors} errors, the first: {result.FirstError}\n{LogTails()}");
    }

    private string LogTails() => string.Join('\n', _pair?.Processes.Select(static process => process.LogTail()) ?? []);

    private static string Text(double number) => number.ToString(CultureInfo.InvariantCulture);
}
