using System.Buffers;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Ztunnel.Proxy.Connections;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Tests.Pages;

/// <summary>Alert rules and dashboard under deploy/observability: promtool accepts and fires them, and every family, label value and reason code in them is one that the program has.</summary>
public sealed partial class ObservabilityFilesTests
{
    // The names are those of the existing program, which other people's dashboards read.
    private static readonly string[] NamesOfOthers = ["workload_manager_active_proxy_count", "workload_manager_pending_proxy_count"];

    private static string Folder => Path.Combine(GeneratedPage.Root, "deploy", "observability");

    [Fact]
    public void Alerts_PlayedToPromtool_AllFireAndNoneFiresOnAHealthyNode()
    {
        string folder = Directory.CreateTempSubdirectory("zt-alerts-").FullName;
        try
        {
            File.Copy(Path.Combine(Folder, "alerts.yaml"), Path.Combine(folder, "alerts.yaml"));
            File.Copy(Path.Combine(AppContext.BaseDirectory, "Fixtures", "alerts.test.yaml"), Path.Combine(folder, "alerts.test.yaml"));

            TestCommand.Run("promtool", "check", "rules", Path.Combine(folder, "alerts.yaml")).EnsureSucceeded();
            TestCommand.Run("promtool", "test", "rules", Path.Combine(folder, "alerts.test.yaml")).EnsureSucceeded();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Alerts_EachNamesReasonCodesThatExist()
    {
        string rules = File.ReadAllText(Path.Combine(Folder, "alerts.yaml"));
        string[] annotated = [.. ReasonsLine().Matches(rules).Select(static match => match.Groups[1].Value)];

        Assert.Equal(rules.Split("- alert:").Length - 1, annotated.Length);
        AssertReasonsExist(annotated.SelectMany(static line => line.Split(", ")));
        string played = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "alerts.test.yaml"));
        Assert.All(AlertName().Matches(rules).Select(static match => match.Groups[1].Value), alert => Assert.Contains($"alertname=\"{alert}\"", played, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("alerts.yaml")]
    [InlineData("dashboard.json")]
    public async Task Expressions_UseOnlyFamiliesAndReasonsThatExist(string file)
    {
        string text = File.ReadAllText(Path.Combine(Folder, file)).Replace("\\\"", "\"", StringComparison.Ordinal);
        HashSet<string> samples = [.. (await AllMetrics.RegisterAsync()).Families.Select(static family => family.Name + (family.Kind == MetricKind.Counter ? "_total" : ""))];

        string[] unknown = [.. FamilyName().Matches(text).Select(static match => match.Value).Where(name => !samples.Contains(name)).Distinct()];

        Assert.Empty(unknown);
        AssertReasonsExist(ReasonMatcher().Matches(text).SelectMany(static match => match.Groups[1].Value.Split('|')));
    }

    [Fact]
    public void Dashboard_EveryPanelHasATitleAUnitAndExpressions()
    {
        JsonArray panels = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "dashboard.json")))!["panels"]!.AsArray();

        Assert.All(panels, static panel =>
        {
            Assert.NotEmpty((string)panel!["title"]!);
            Assert.NotNull(panel["fieldConfig"]!["defaults"]!["unit"]);
            Assert.All(panel["targets"]!.AsArray(), static target => Assert.NotEmpty((string)target!["expr"]!));
        });
        Assert.Equal(panels.Count, panels.Select(static panel => (int)panel!["id"]!).Distinct().Count());
    }

    [Fact]
    public async Task Text_OfEveryFamily_IsCleanForPromtool()
    {
        MetricRegistry metrics = await AllMetrics.RegisterAsync();
        var body = new ArrayBufferWriter<byte>();
        metrics.Write(body, openMetrics: false);
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(file, body.WrittenMemory);

            CommandResult lint = TestCommand.Run("sh", "-c", $"promtool check metrics < {file}");

            Assert.All((lint.Output + lint.Error).Split('\n', StringSplitOptions.RemoveEmptyEntries), static line => Assert.Contains(line.Split(' ')[0], NamesOfOthers));
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static void AssertReasonsExist(IEnumerable<string> codes) => Assert.All(codes, static code => Assert.Contains(EndReasons.All, entry => entry.Code == code));

    [GeneratedRegex("reasons: (.+)")]
    private static partial Regex ReasonsLine();

    [GeneratedRegex("- alert: (\\w+)")]
    private static partial Regex AlertName();

    [GeneratedRegex("\\b(?:ztunnel|istio|workload_manager|process)_[a-z0-9_]+\\b(?=[{\\[ ])")]
    private static partial Regex FamilyName();

    [GeneratedRegex("reason(?:=|=~|!=|!~)\"([a-z0-9_|]+)\"")]
    private static partial Regex ReasonMatcher();
}
