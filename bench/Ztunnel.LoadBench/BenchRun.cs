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
    /// <summary>A run during which strangers used more of the processors than this is done again, as often as the settings allow.</summary>
    private const double MaxForeignShare = 0.15;

    private readonly List<SubjectBench> _benches = [];

    /// <summary>0 when every subject answered every scenario.</summary>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        string folder = Directory.CreateTempSubdirectory("ztunnel-bench-").FullName;
        try
        {
            string[] binaryFolders = [.. new[] { settings.Binaries.Bench, settings.Binaries.Ztunnel }.OfType<string>().Select(static path => Path.GetDirectoryName(path)!).Distinct()];
            var land = new UserLand(settings.Root) { Shared = [folder, .. binaryFolders] };
            MachineFacts facts = await MachineFacts.CollectAsync(settings, land, time.GetUtcNow());
            progress.WriteLine(facts.ToText());
            await StartSubjectsAsync(folder, land, cancellation);
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
        SubjectBench[] asked = [.. _benches.Where(bench => (!scenario.IsAboutProxies || bench.Subject.IsCaptured) && (!scenario.IsAboutTls || bench.Subject.IsEncrypted))];
        var results = asked.ToDictionary(static bench => bench, static _ => new List<LoadResult>());
        var errors = new Dictionary<SubjectBench, string>();
        for (int repetition = 0; repetition < settings.Repetitions; repetition++)
        {
            for (int turn = 0; turn < asked.Length; turn++)
            {
                SubjectBench bench = asked[(turn + repetition) % asked.Length];
                try
                {
                    results[bench].Add(await MeasureAsync(bench, scenario, cancellation));
                }
                catch (BenchException exception)
                {
                    errors[bench] = exception.Message;
                    progress.WriteLine($"\n{bench.Subject.Name}: {exception.Message}");
                }

                progress.Write('.');
            }
        }

        progress.WriteLine();
        return new ScenarioReport(scenario, [.. asked.Select(bench => Summarise(bench.Subject.Name, scenario, results[bench], errors.GetValueOrDefault(bench)))]);
    }

    private async Task<LoadResult> MeasureAsync(SubjectBench bench, Scenario scenario, CancellationToken cancellation)
    {
        LoadResult best = await bench.RunAsync(scenario, cancellation);
        for (int attempt = 1; attempt < settings.Attempts && ForeignShare(best) > MaxForeignShare; attempt++)
        {
            LoadResult again = await bench.RunAsync(scenario, cancellation);
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
        string table = TableWriter.Write(reports) + BudgetTable.Write(reports, settings.Root is not null, facts.AesSecondsPerGib);
        progress.WriteLine(table);
        Directory.CreateDirectory(settings.OutputFolder);
        string name = Path.Combine(settings.OutputFolder, time.GetUtcNow().ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture) + (settings.Root is null ? "" : "-debian13"));
        File.WriteAllText(name + ".md", $"{facts.ToText()}\n{table}");
        JsonReport.Write(name + ".json", facts, reports);
        progress.WriteLine($"written: {name}.md, {name}.json");
    }
}
