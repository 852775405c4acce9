using System.Globalization;
using Ztunnel.LoadBench.Measurement;
using Ztunnel.LoadBench.Reports;
using Ztunnel.LoadBench.Scenarios;
using Ztunnel.LoadBench.Subjects;
using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench;

/// <summary>
/// One run: every subject stands in its own testbed, and for each scenario and repetition they take turns, beginning with another one each time.
/// Whatever happens, the namespaces are gone at the end.
/// </summary>
internal sealed class BenchRun(BenchSettings settings, TimeProvider time, TextWriter progress)
{
    /// <summary>A run during which strangers used more of the processors than this is done again, while the settings' patience lasts.</summary>
    private const double MaxForeignShare = 0.15;

    private const int MaxAttempts = 3;

    private readonly List<SubjectBench> _benches = [];
    private TimeSpan _patience = settings.Patience;

    /// <summary>0 when every subject answered every scenario.</summary>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        string folder = Directory.CreateTempSubdirectory("ztunnel-bench-").FullName;
        using var programs = new ResidentPrograms();
        try
        {
            string[] binaryFolders = [.. new[] { settings.Binaries.Bench, settings.Binaries.Ztunnel }.OfType<string>().Select(static path => Path.GetDirectoryName(path)!).Distinct()];
            var land = new UserLand(settings.Root) { Shared = [folder, .. binaryFolders] };
            MachineFacts facts = await MachineFacts.CollectAsync(settings, land, time.GetUtcNow());
            progress.WriteLine(facts.ToText());
            await StartSubjectsAsync(folder, land, cancellation);
            programs.Hold([.. _benches.SelectMany(static bench => bench.Processes), Environment.ProcessId]);
            if (programs.Refused > 0)
            {
                progress.WriteLine($"{programs.Refused} programs and libraries cannot be kept in memory (CAP_IPC_LOCK): a machine that pages out what is cold charges whoever was");
            }

            List<ScenarioReport> reports = [];
            try
            {
                foreach (Scenario scenario in settings.Scenarios)
                {
                    reports.Add(await AskAsync(scenario, cancellation));
                }
            }
            finally
            {
                // Also when interrupted: what has been measured took minutes.
                Publish(facts, reports);
            }

            return reports.All(static report => report.Answers.All(static answer => answer.Error is null)) ? 0 : 1;
        }
        finally
        {
            foreach (SubjectBench bench in _benches)
            {
                await bench.DisposeAsync();
            }

            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task StartSubjectsAsync(string folder, UserLand land, CancellationToken cancellation)
    {
        await Testbed.RemoveAllAsync();
        BenchCertificates certificates = BenchCertificates.Create(folder, time.GetUtcNow());
        using CongestionControl allowed = CongestionControl.Allow(settings.CongestionControl);
        foreach (Subject subject in settings.Subjects)
        {
            string own = Directory.CreateDirectory(Path.Combine(folder, subject.Name)).FullName;
            _benches.Add(await SubjectBench.StartAsync(subject, bed => new SubjectContext(bed, land, settings.Binaries, certificates, own), settings.CongestionControl, cancellation));
        }
    }

    private async Task<ScenarioReport> AskAsync(Scenario scenario, CancellationToken cancellation)
    {
        progress.Write($"{scenario.Name} ");
        SubjectBench[] asked = [.. _benches.Where(bench => scenario.Concerns(bench.Subject) && (settings.HasNamedSubjects || scenario.IsCore || bench.Subject.IsMain))];
        var tallies = asked.ToDictionary(static bench => bench, static _ => new Tally());
        if (scenario.IsConcurrent)
        {
            await Task.WhenAll(asked.Select(bench => Task.Run(() => AddAsync(tallies[bench], bench, scenario, cancellation), cancellation)));
        }
        else
        {
            for (int repetition = 0; repetition < settings.Repetitions; repetition++)
            {
                for (int turn = 0; turn < asked.Length; turn++)
                {
                    SubjectBench bench = asked[(turn + repetition) % asked.Length];
                    await AddAsync(tallies[bench], bench, scenario, cancellation);
                }
            }
        }

        progress.WriteLine();
        return new ScenarioReport(scenario, [.. asked.Select(bench => Summarise(bench.Subject.Name, scenario, tallies[bench].Results, tallies[bench].Error))]);
    }

    private async Task AddAsync(Tally tally, SubjectBench bench, Scenario scenario, CancellationToken cancellation)
    {
        try
        {
            tally.Results.Add(await MeasureAsync(bench, scenario, cancellation));
        }
        catch (BenchException exception)
        {
            tally.Error = exception.Message;
            progress.WriteLine($"\n{bench.Subject.Name}: {exception.Message}");
        }

        progress.Write('.');
    }

    private async Task<LoadResult> MeasureAsync(SubjectBench bench, Scenario scenario, CancellationToken cancellation)
    {
        LoadResult best = await bench.RunAsync(scenario, cancellation);
        for (int attempt = 1; attempt < MaxAttempts && ForeignShare(best) > MaxForeignShare && _patience > TimeSpan.Zero; attempt++)
        {
            long startedAt = time.GetTimestamp();
            LoadResult again = await bench.RunAsync(scenario, cancellation);
            _patience -= time.GetElapsedTime(startedAt);
            best = ForeignShare(again) < ForeignShare(best) ? again : best;
        }

        return best;
    }

    private static Answer Summarise(string subject, Scenario scenario, List<LoadResult> results, string? error)
    {
        if (results.Count == 0)
        {
            return new Answer(subject, [], 0, 0, error);
        }

        Series[] series =
        [
            .. results.SelectMany(scenario.Read).GroupBy(static pair => pair.Metric).Select(static group => new Series(group.Key, [.. group.Select(static pair => pair.Value)])),
        ];
        return new Answer(subject, series, results.Average(ForeignShare), results.Average(static result => Share(result, result.LoadCpuSeconds)), error);
    }

    private static double ForeignShare(LoadResult result) => Share(result, result.ForeignCpuSeconds);

    private static double Share(LoadResult result, double cpuSeconds) => result.Seconds > 0 ? cpuSeconds / result.Seconds / Environment.ProcessorCount : 0;

    private void Publish(MachineFacts facts, List<ScenarioReport> reports)
    {
        IReadOnlyList<BudgetRow> budgets = [.. BudgetTable.Evaluate(reports, settings.Root is not null, facts.AesSecondsPerGib), .. settings.Elsewhere is null ? [] : BudgetRow.ReadFile(settings.Elsewhere)];
        string table = BudgetTable.Write(budgets) + TableWriter.Write(reports);
        progress.WriteLine(table);
        string name = Path.Combine(settings.OutputFolder, time.GetUtcNow().ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture) + (settings.Root is null ? "" : "-debian13"));
        Directory.CreateDirectory(name);
        File.WriteAllText(name + ".md", $"{facts.ToText()}\n{table}");
        JsonReport.Write(name + ".json", facts, reports, budgets);
        ChartBook.Write(name, facts, reports);
        progress.WriteLine($"written: {name}.md, {name}.json, charts in {name}/");
    }

    private sealed class Tally
    {
        public List<LoadResult> Results { get; } = [];

        public string? Error { get; set; }
    }
}
