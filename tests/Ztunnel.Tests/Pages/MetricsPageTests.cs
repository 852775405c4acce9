using System.Text;
using System.Text.RegularExpressions;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Tests.Pages;

/// <summary>deploy/metrics.md lists every family with type, labels and meaning, as the program registers them.</summary>
public sealed partial class MetricsPageTests
{
    private const string Head = """
        # Metrics

        On port 15020, `/stats/prometheus` and `/metrics`, as text or OpenMetrics by content negotiation, compressed when asked. Families of Istio's ztunnel keep their names and labels; ours begin with `ztunnel_`. Those that
        do not say *stable* may still change.

        The labels of traffic, in this order: %LABELS%.
        `ZTUNNEL_METRICS_DROPPED_LABELS` leaves some of them out (never `reporter` or `response_flags`). A series whose workloads are gone disappears after `ZTUNNEL_METRICS_QUIET_PERIOD` (1 h) without a change.
        Values of `reason` are the codes of [reasons.md](reasons.md); dashboard and alert rules that use these families are in [observability](observability).

        """;

    private static readonly string[] Stable =
        ["istio_build", "istio_tcp_connections_opened", "istio_tcp_connections_closed", "istio_tcp_received_bytes", "istio_tcp_sent_bytes"];

    [Fact]
    public async Task Page_ListsEveryFamily() => GeneratedPage.AssertIs("metrics.md", Write(await AllMetrics.RegisterAsync()));

    [Fact]
    public async Task Families_NamedInTheSource_AreOnThePage()
    {
        HashSet<string> registered = [.. (await AllMetrics.RegisterAsync()).Families.Select(static family => family.Name)];

        IEnumerable<string> missing = Directory.EnumerateFiles(Path.Combine(GeneratedPage.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Select(File.ReadAllText)
            .Where(static text => text.Contains("MetricGroup.", StringComparison.Ordinal))
            .SelectMany(static text => FamilyLiteral().Matches(text).Select(static match => match.Groups[1].Value))
            .Where(name => !registered.Contains(name));

        Assert.True(!missing.Any(), $"add what registers these to {nameof(AllMetrics)}: {string.Join(", ", missing)}");
    }

    private static string Write(MetricRegistry metrics)
    {
        var page = new StringBuilder(Head.Replace("%LABELS%", string.Join(", ", TrafficLabelNames.All.Select(static name => $"`{name}`")), StringComparison.Ordinal));
        foreach (IGrouping<MetricGroup, MetricFamily> group in metrics.Families.GroupBy(static family => family.Group))
        {
            page.Append($"\n## {Title(group.Key)}\n\n| samples | type | labels | meaning |\n|---|---|---|---|\n");
            foreach (MetricFamily family in group)
                page.Append($"| `{family.Name}{(family.Kind == MetricKind.Counter ? "_total" : "")}` | {family.Kind.ToString().ToLowerInvariant()} | {Labels(family)} | {Meaning(family)} |\n");
        }

        return page.ToString();
    }

    private static string Title(MetricGroup group) => group switch
    {
        MetricGroup.Process => "Process",
        MetricGroup.Build => "Build",
        MetricGroup.Xds => "Control plane",
        MetricGroup.Proxy => "Connections",
        MetricGroup.Dns => "DNS capture",
        MetricGroup.WorkloadManager => "Pods",
        MetricGroup.Ztunnel => "Our own",
        _ => group.ToString(),
    };

    private static string Labels(MetricFamily family) =>
        family.Labels.SequenceEqual(TrafficLabelNames.All) ? "those of traffic" : family.Labels.Count == 0 ? "–" : string.Join(", ", family.Labels.Select(static name => $"`{name}`"));

    private static string Meaning(MetricFamily family) =>
        family.Help.TrimEnd('.').Replace(" (unstable)", "", StringComparison.Ordinal) + (Stable.Contains(family.Name) ? " (*stable*)" : "");

    [GeneratedRegex("\"((?:ztunnel|istio|workload_manager|process)_[a-z0-9_]+)\"")]
    private static partial Regex FamilyLiteral();
}
