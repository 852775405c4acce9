using System.Text.Json;
using Ztunnel.Testing.Namespaces;

namespace Ztunnel.Namespace.Tests.Observability;

/// <summary>
/// The connections that were recorded with the existing program, made anew through two native proxies: what the applications saw, both access logs field by field, every traffic series of both scrapes with its value, and
/// the structure of both dumps. What differs on purpose is in <see cref="IntendedDifferences"/>, with the reason.
/// </summary>
[Collection(RecordedCollection.Name)]
public sealed class RecordedScenarioTests(RecordedNetwork network)
{
    [NamespaceTheory]
    [InlineData("scenarios.plain.txt", false)]
    [InlineData("scenarios.json.txt", true)]
    public async Task Scenarios_OfTheRecording_LookTheSame(string recording, bool json)
    {
        await network.StartProxiesAsync(json);
        List<string> wrong = [];
        Dictionary<string, int> seen = new() { ["a"] = 0, ["b"] = 0 };
        foreach (RecordedScenario scenario in RecordedScenario.Read(RecordedNetwork.Recording(recording)))
        {
            string[] transcript = scenario.IsCurl ? await network.RunCurlAsync(scenario.Pod, scenario.Command) : await network.RunClientAsync(scenario.Pod, scenario.Command);
            Compare(wrong, $"{scenario.Title}: client", IntendedDifferences.Client(scenario), IntendedDifferences.ClientHere(transcript));
            foreach ((string proxy, LogFields[] recorded) in ((string, LogFields[])[])[("a", scenario.LinesOfA), ("b", scenario.LinesOfB)])
            {
                foreach (LogFields line in recorded)
                {
                    LogFields actual = LogFields.Read(await NextAccessLineAsync(proxy, seen[proxy]++));
                    LogFields expected = IntendedDifferences.Line(scenario.Title, proxy, line, json);
                    Compare(wrong, $"{scenario.Title}: log of {proxy}", expected.ToString(), actual.WithoutOurs().ToString());
                    Compare(wrong, $"{scenario.Title}: our fields of {proxy}", expected["error"] is null ? "" : "with reason", actual["reason"] is null ? "" : "with reason");
                }
            }
        }

        foreach (string proxy in (string[])["a", "b"])
        {
            IEnumerable<string> expected = IntendedDifferences.Series(File.ReadLines(RecordedNetwork.Recording($"metrics-{proxy}.text.txt")).Where(IntendedDifferences.IsCompared));
            string scrape = await network.GetAsync(proxy, "http://127.0.0.1:15020/stats/prometheus");
            IEnumerable<string> actual = IntendedDifferences.SeriesHere(scrape.Split('\n').Where(IntendedDifferences.IsCompared));
            Compare(wrong, $"series of {proxy}", string.Join('\n', expected.Order(StringComparer.Ordinal)), string.Join('\n', actual.Order(StringComparer.Ordinal)));
        }

        foreach (string proxy in (string[])["a", "b"])
        {
            using var recorded = JsonDocument.Parse(await File.ReadAllTextAsync(RecordedNetwork.Recording($"config_dump-{proxy}.json")));
            using var actual = JsonDocument.Parse(await network.GetAsync(proxy, "http://127.0.0.1:15000/config_dump"));
            Compare(wrong, $"structure of the dump of {proxy}", string.Join('\n', IntendedDifferences.Structure(recorded)), string.Join('\n', IntendedDifferences.Structure(actual)));
        }

        Assert.True(wrong.Count == 0, string.Join("\n\n", wrong));
    }

    private static void Compare(List<string> wrong, string what, string expected, string actual)
    {
        if (expected == actual)
            return;
        string[] more = [.. actual.Split('\n').Except(expected.Split('\n')).Select(static line => "  ours     " + line)];
        string[] less = [.. expected.Split('\n').Except(actual.Split('\n')).Select(static line => "  recorded " + line)];
        wrong.Add($"{what}:\n{string.Join('\n', less)}\n{string.Join('\n', more)}");
    }

    private Task<string> NextAccessLineAsync(string proxy, int earlier)
    {
        int count = 0;
        return network.Proxy(proxy).WaitForLineAsync(line => LogFields.IsAccess(line) && ++count > earlier);
    }
}
