using System.Globalization;
using System.Text.Json;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;

namespace Ztunnel.Microbenchmarks;

/// <summary>
/// Runs every benchmark briefly and compares the bytes it allocates for each operation with the baselines: what allocates nothing must go on allocating nothing, and nothing may allocate more
/// than a baseline says. Times are not looked at: they belong to a machine, allocations do not.
/// </summary>
internal static class AllocationCheck
{
    /// <summary>A background thread that allocates once (a log writer, the pool) shows as a byte or two for each operation of a short run.</summary>
    private const long NoiseBytes = 2;

    /// <summary>Averages over random choices and growing tables move a little; zero is exact.</summary>
    private const double Tolerance = 1.05;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>0 when everything holds; with update, writes what was measured and returns 0.</summary>
    public static int Run(string baselinePath, bool update)
    {
        var measured = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (Summary summary in BenchmarkRunner.Run(typeof(AllocationCheck).Assembly, BriefConfig()))
        {
            foreach (BenchmarkReport report in summary.Reports)
            {
                if (!report.Success)
                {
                    Console.Error.WriteLine($"{NameOf(report.BenchmarkCase)}: did not run");
                    return 1;
                }

                long bytes = report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase) ?? 0;
                measured[NameOf(report.BenchmarkCase)] = bytes <= NoiseBytes ? 0 : bytes;
            }
        }

        if (update)
        {
            File.WriteAllText(baselinePath, JsonSerializer.Serialize(measured, Indented) + "\n");
            Console.WriteLine($"{measured.Count} baselines written to {baselinePath}");
            return 0;
        }

        Dictionary<string, long> baseline = JsonSerializer.Deserialize<Dictionary<string, long>>(File.ReadAllText(baselinePath)) ?? throw new InvalidDataException($"{baselinePath} is empty");
        string[] wrong = [.. Differences(measured, baseline)];
        foreach (string line in wrong)
        {
            Console.Error.WriteLine(line);
        }

        Console.WriteLine($"{measured.Count} benchmarks, {measured.Values.Count(static bytes => bytes == 0)} of them without allocation, {wrong.Length} beyond {baselinePath}");
        return wrong.Length == 0 ? 0 : 1;
    }

    private static IEnumerable<string> Differences(SortedDictionary<string, long> measured, Dictionary<string, long> baseline)
    {
        foreach ((string name, long bytes) in measured)
        {
            if (!baseline.TryGetValue(name, out long allowed))
            {
                yield return $"{name}: {bytes} bytes and no baseline; run with --update";
            }
            else if (bytes > allowed * Tolerance)
            {
                yield return $"{name}: {bytes} bytes for each operation, {allowed} allowed";
            }
        }

        foreach (string name in baseline.Keys.Where(name => !measured.ContainsKey(name)))
        {
            yield return $"{name}: has a baseline but no benchmark; run with --update";
        }
    }

    private static string NameOf(BenchmarkCase benchmark)
    {
        string parameters = string.Join(", ", benchmark.Parameters.Items.Select(static item => string.Create(CultureInfo.InvariantCulture, $"{item.Name}={item.Value}")));
        return $"{benchmark.Descriptor.Type.Name}.{benchmark.Descriptor.WorkloadMethod.Name}({parameters})";
    }

    private static ManualConfig BriefConfig() => ManualConfig.CreateEmpty()
        .AddDiagnoser(MemoryDiagnoser.Default)
        .AddLogger(NullLogger.Instance)
        .AddColumnProvider(BenchmarkDotNet.Columns.DefaultColumnProviders.Instance)
        .WithOption(ConfigOptions.DisableLogFile, true)
        .AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithWarmupCount(1).WithIterationCount(2).WithIterationTime(TimeInterval.FromMilliseconds(100)));
}
