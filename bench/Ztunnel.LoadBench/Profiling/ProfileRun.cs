using System.Globalization;
using System.Text;
using Ztunnel.LoadBench.Measurement;
using Ztunnel.LoadBench.Reports;
using Ztunnel.LoadBench.Scenarios;
using Ztunnel.LoadBench.Subjects;
using Ztunnel.LoadBench.Topology;

namespace Ztunnel.LoadBench.Profiling;

/// <summary>
/// Where one scenario's CPU goes: the scenario three times at one subject, once undisturbed for its price, once sampled, once with its system calls counted. Prints markdown for bench/profiles.
/// </summary>
internal sealed class ProfileRun(BenchSettings settings, TextWriter output)
{
    private const int ShownFunctions = 12;

    // Of a scenario whose window is as long as one likes.
    private static readonly TimeSpan Sampled = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Counted = TimeSpan.FromSeconds(3);

    /// <summary>Between the start of perf and that of the load, and the other way round.</summary>
    private static readonly TimeSpan Lead = TimeSpan.FromSeconds(0.7);

    public async Task<int> RunAsync(DateTimeOffset now, CancellationToken cancellation)
    {
        Perf.Require();
        string folder = Directory.CreateTempSubdirectory("ztunnel-profile-").FullName;
        try
        {
            Subject subject = settings.Subjects[0];
            string[] binaryFolders = [.. new[] { settings.Binaries.Bench, settings.Binaries.Ztunnel }.OfType<string>().Select(static path => Path.GetDirectoryName(path)!).Distinct()];
            var land = new UserLand(settings.Root) { Shared = [folder, .. binaryFolders] };
            MachineFacts facts = await MachineFacts.CollectAsync(settings, land, now);
            await Testbed.RemoveAllAsync();
            BenchCertificates certificates = BenchCertificates.Create(folder, now);
            using CongestionControl allowed = CongestionControl.Allow(settings.CongestionControl);
            await using SubjectBench bench = await SubjectBench.StartAsync(subject, bed => new SubjectContext(bed, land, settings.Binaries, certificates, folder), settings.CongestionControl, cancellation);
            output.WriteLine($"{facts.ToText()}\n");
            foreach (Scenario scenario in settings.Scenarios.Where(scenario => scenario.Concerns(subject) && !scenario.IsConcurrent))
            {
                await ProfileAsync(bench, scenario, folder, cancellation);
            }

            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task ProfileAsync(SubjectBench bench, Scenario scenario, string folder, CancellationToken cancellation)
    {
        LoadResult undisturbed = await bench.RunAsync(scenario, cancellation);

        // Who needs a new pair has a window of its own, which must not become longer; the pair stands before perf asks for its processes.
        await bench.PrepareAsync(scenario, cancellation);
        Scenario standing = scenario with { NeedsNewPair = false };
        (TimeSpan sampled, TimeSpan load) = scenario.NeedsNewPair ? (scenario.Measured - Lead, scenario.Measured) : (Sampled, Sampled + Lead + Lead);
        Task<LoadResult> loading = bench.RunAsync(standing with { Measured = load }, cancellation);
        await Task.Delay(Lead, cancellation);
        IReadOnlyList<Cost> costs = await Perf.SampleAsync(bench.Processes, sampled, folder, cancellation);
        await loading;

        // Counting begins before the connections are opened and ends after they are closed; without warm-up the load counts all that it does meanwhile.
        await bench.PrepareAsync(scenario, cancellation);
        TimeSpan counting = scenario.NeedsNewPair ? scenario.Measured : Counted;
        Task<IReadOnlyDictionary<string, long>> calls = Perf.CountCallsAsync(bench.Processes, counting + Lead + Lead + Lead, cancellation);
        await Task.Delay(Lead, cancellation);
        LoadResult counted = await bench.RunAsync(standing with { WarmUp = TimeSpan.Zero, Measured = counting }, cancellation);
        Write(scenario, bench.Subject, undisturbed, costs, counted, await calls);
    }

    private void Write(Scenario scenario, Subject subject, LoadResult undisturbed, IReadOnlyList<Cost> costs, LoadResult counted, IReadOnlyDictionary<string, long> calls)
    {
        CultureInfo invariant = CultureInfo.InvariantCulture;
        var text = new StringBuilder();
        string price = string.Join(", ", scenario.Read(undisturbed).Select(static pair => $"{pair.Value.ToString($"N{pair.Metric.Decimals}", CultureInfo.InvariantCulture)} {pair.Metric.Heading}"));
        text.Append(invariant, $"## {scenario.Name}: {scenario.Question}\n\n{subject.Name}: {price}\n\n| what | share |\n|---|---:|\n");
        foreach (string name in CostClass.All)
        {
            text.Append(invariant, $"| {name} | {costs.Where(cost => cost.Class == name).Sum(static cost => cost.Percent):0.0} % |\n");
        }

        text.Append(invariant, $"\nMost expensive functions that are neither crypto nor kernel:\n\n");
        foreach (Cost cost in costs.Where(static cost => cost.Class != CostClass.Crypto && !cost.SharedObject.StartsWith("[kernel", StringComparison.Ordinal)).Take(ShownFunctions))
        {
            text.Append(invariant, $"* {cost.Percent:0.00} % `{cost.Symbol}` ({cost.SharedObject})\n");
        }

        text.Append("\nMost expensive functions of the kernel:\n\n");
        foreach (Cost cost in costs.Where(static cost => cost.SharedObject.StartsWith("[kernel", StringComparison.Ordinal)).Take(ShownFunctions))
        {
            text.Append(invariant, $"* {cost.Percent:0.00} % `{cost.Symbol}` ({cost.Class})\n");
        }

        // Bulk is counted by the MiB, everything else by the request.
        (string unit, double count) = counted.Operations > 0 && counted.Latency is not null ? ("request", counted.Operations) : ("MiB", counted.Bytes / (1024.0 * 1024));
        text.Append(invariant, $"\nSystem calls of both proxies for each {unit}:\n\n| call | for each {unit} |\n|---|---:|\n");
        foreach ((string name, long number) in calls.Where(pair => pair.Value >= count / 1000).OrderByDescending(static pair => pair.Value))
        {
            text.Append(invariant, $"| {name} | {number / count:0.###} |\n");
        }

        output.WriteLine(text.ToString());
    }
}
