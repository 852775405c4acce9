using System.Text.Encodings.Web;
using System.Text.Json;
using Ztunnel.Microbenchmarks.Brief;

namespace Ztunnel.Microbenchmarks;

/// <summary>
/// Compares the bytes that every benchmark allocates for each operation with the baselines: what allocates nothing must go on allocating nothing, and nothing may allocate more than a baseline says.
/// Times are not looked at: they belong to a machine, allocations do not. Optimised or not, a build allocates the same within 1 %.
/// </summary>
internal static class AllocationCheck
{
    /// <summary>Averages over random choices and growing tables move a little; zero is exact.</summary>
    private const double Tolerance = 1.05;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>0 when everything holds; with update, writes what was measured and returns 0.</summary>
    public static async Task<int> RunAsync(string baselinePath, bool update)
    {
        var measured = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (BriefCase benchmark in BriefCase.FindAll())
        {
            measured[benchmark.Name] = await benchmark.RunAsync(BriefRun.MeasureAllocation);
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
}
