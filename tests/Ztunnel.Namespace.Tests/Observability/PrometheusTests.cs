using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Ztunnel.Testing.Namespaces;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Namespace.Tests.Observability;

/// <summary>A real Prometheus scrapes a native proxy under load, as OpenMetrics and as text; then it evaluates every expression of the dashboard and of the alert rules on what it scraped.</summary>
[Collection(RecordedCollection.Name)]
public sealed partial class PrometheusTests(RecordedNetwork network)
{
    private const string Stats = "http://127.0.0.1:15020/metrics";
    private const string OwnApi = "http://127.0.0.1:19090";
    private const int RelayPort = 19100;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static string Deploy => Path.Combine(AppContext.BaseDirectory, "Observability", "deploy");

    [NamespaceFact]
    public async Task Scrapes_OfBothFormatsUnderLoad_AreWithoutAWarningAndAnswerEveryExpression()
    {
        await network.StartProxiesAsync(json: false);
        TestNamespace pod = network.Pod("a");
        // Allowed, denied by policy, refused by the application, reset by it.
        using TestProcess load = pod.Start("/usr/bin/python3", RecordedNetwork.Program, "load", "10.88.0.2", "8080", "8081", "8082", "8084");
        using TestProcess relay = pod.Start("/usr/bin/python3", Path.Combine(AppContext.BaseDirectory, "Programs", "without_accept.py"), $"{RelayPort}", Stats);
        await Task.WhenAll(load.WaitForLineAsync(IsReady), relay.WaitForLineAsync(IsReady));

        string folder = Directory.CreateTempSubdirectory("zt-prometheus-").FullName;
        try
        {
            File.Copy(Path.Combine(Deploy, "alerts.yaml"), Path.Combine(folder, "alerts.yaml"));
            await File.WriteAllTextAsync(Path.Combine(folder, "prometheus.yml"), $$"""
                global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
                rule_files: [alerts.yaml]
                scrape_configs:
                - {job_name: openmetrics, static_configs: [{targets: ["127.0.0.1:15020"]}]}
                - {job_name: text, static_configs: [{targets: ["127.0.0.1:{{RelayPort}}"]}]}

                """);
            using TestProcess prometheus = pod.Start(
                "prometheus", $"--config.file={folder}/prometheus.yml", $"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:19090", "--log.level=debug");
            await prometheus.WaitForLineAsync(static line => line.Contains("Server is ready", StringComparison.Ordinal), Patience);
            await UntilAsync("min(count_over_time(up[5m])) >= bool 5");

            Assert.Equal(1, await ScalarAsync("min(min_over_time(up[5m]))"));
            Assert.Equal(0, await ScalarAsync("max(abs(scrape_samples_scraped{job=\"openmetrics\"} - on () scrape_samples_scraped{job=\"text\"}))"));
            await AssertExpressionsAnswerAsync();
            await AssertTypesKnownAsync();
            Assert.DoesNotContain((prometheus.Output + prometheus.Error).Split('\n'), IsComplaint);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        await AssertLintIsCleanAsync();
    }

    private static bool IsReady(string line) => line == "ready";

    // "Append failed" and "Scrape failed" are said at debug level.
    private static bool IsComplaint(string line) => line.Contains("level=warn", StringComparison.Ordinal) || line.Contains("level=error", StringComparison.Ordinal) || line.Contains("failed", StringComparison.Ordinal);

    private async Task AssertExpressionsAnswerAsync()
    {
        string scraped = await network.GetAsync("a", Stats);
        string[] dashboard = [.. JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Deploy, "dashboard.json")))!["panels"]!.AsArray()
            .SelectMany(static panel => panel!["targets"]!.AsArray().Select(static target => (string)target!["expr"]!))];
        Assert.NotEmpty(dashboard);
        List<string> silent = [];
        foreach (string expression in dashboard)
        {
            string query = expression.Replace("$instance", ".*", StringComparison.Ordinal).Replace("$__rate_interval", "30s", StringComparison.Ordinal);
            int answers = (await QueryAsync(query)).Count;
            // A proxy in dedicated mode with a file has no control plane, no pods of others and no DNS capture: those families are not in its scrape.
            if (answers == 0 && FamilyName().Matches(query).All(match => scraped.Contains(match.Value, StringComparison.Ordinal)))
                silent.Add(query);
        }

        Assert.Empty(silent);
        JsonArray groups = (await GetAsync("/api/v1/rules"))["groups"]!.AsArray();
        Assert.NotEmpty(groups);
        Assert.All(groups.SelectMany(static group => group!["rules"]!.AsArray()), static rule => Assert.Equal("ok", (string)rule!["health"]!));
    }

    // The text parser knows a family by the name of its samples: a counter without type or help there is one whose header says another name.
    private async Task AssertTypesKnownAsync()
    {
        JsonNode metadata = await GetAsync("/api/v1/targets/metadata?match_target=%7Bjob%3D%22text%22%7D");
        Dictionary<string, string> types = metadata.AsArray().ToDictionary(static item => (string)item!["metric"]!, static item => (string)item!["type"]!);
        Assert.Equal("counter", types["istio_tcp_connections_opened_total"]);
        Assert.Equal("gauge", types["ztunnel_tunnels_open"]);
        Assert.DoesNotContain("unknown", types.Values);
    }

    private async Task AssertLintIsCleanAsync()
    {
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, await network.GetAsync("b", Stats));
            CommandResult lint = TestCommand.Run("sh", "-c", $"promtool check metrics < {file}");
            Assert.Equal("", lint.Output + lint.Error);
            Assert.Equal(0, lint.ExitCode);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private async Task UntilAsync(string condition)
    {
        using var limit = new CancellationTokenSource(Patience);
        // A scrape a second: every query is answered when the server has something new at the earliest, and asking is the only way to learn of it.
        while (await ScalarAsync(condition) is not 1)
            limit.Token.ThrowIfCancellationRequested();
    }

    private async Task<double> ScalarAsync(string query) =>
        (await QueryAsync(query)) is [{ } only] ? double.Parse((string)only["value"]![1]!, System.Globalization.CultureInfo.InvariantCulture) : double.NaN;

    private async Task<JsonArray> QueryAsync(string query) => (await GetAsync("/api/v1/query?query=" + Uri.EscapeDataString(query)))["result"]!.AsArray();

    private async Task<JsonNode> GetAsync(string path)
    {
        JsonNode answer = JsonNode.Parse(await network.GetAsync("a", OwnApi + path))!;
        Assert.True((string)answer["status"]! == "success", $"{path}: {answer}");
        return answer["data"]!;
    }

    [GeneratedRegex("\\b(?:ztunnel|istio|workload_manager|process)_[a-z0-9_]+\\b(?=[{\\[ ])")]
    private static partial Regex FamilyName();
}
