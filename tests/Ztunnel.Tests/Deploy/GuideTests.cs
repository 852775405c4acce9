using System.Text.RegularExpressions;
using Ztunnel.Proxy.Connections;
using Ztunnel.Tests.Pages;

namespace Ztunnel.Tests.Deploy;

/// <summary>The operating guide: every reason has its row, every file it points at is there, every metric and setting it names exists.</summary>
public sealed partial class GuideTests
{
    public static TheoryData<string> Pages() => ["deploy/README.md", "deploy/istio/README.md", "README.md"];

    [Fact]
    public void Troubleshooting_EveryReason_IsInTheRowOfWhoHasToAct()
    {
        string[] rows = [.. File.ReadLines(Path.Combine(Manifest.Folder, "README.md")).SkipWhile(static line => line != "## Troubleshooting").TakeWhile(static line => line != "## Security model").Where(static line => line.StartsWith('|'))];

        Assert.All(EndReasons.All.Skip(1), entry =>
        {
            string side = entry.Fault switch
            {
                FaultSide.Nobody => "nobody",
                FaultSide.Source => "the client application",
                FaultSide.Destination => "the server application",
                FaultSide.Policy => "policy",
                FaultSide.Network => "the network",
                FaultSide.ControlPlane => "the control plane",
                _ => "ztunnel",
            };
            Assert.True(
                rows.Any(row => row.StartsWith($"| {side} |", StringComparison.Ordinal) && row.Contains($"`{entry.Code}`", StringComparison.Ordinal)),
                $"deploy/README.md, Troubleshooting: `{entry.Code}` is missing in the row of {side}");
        });
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Links_Relative_LeadSomewhere(string page)
    {
        string folder = Path.GetDirectoryName(Path.Combine(GeneratedPage.Root, page))!;
        string[] broken =
        [
            .. Link().Matches(File.ReadAllText(Path.Combine(GeneratedPage.Root, page))).Select(static match => match.Groups[1].Value)
                .Where(static target => !target.Contains("://", StringComparison.Ordinal))
                .Where(target => !LeadsSomewhere(folder, page, target)),
        ];

        Assert.True(broken.Length == 0, $"{page}: {string.Join(", ", broken)}");
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task Names_OfMetricsAndSettings_Exist(string page)
    {
        string text = File.ReadAllText(Path.Combine(GeneratedPage.Root, page));
        HashSet<string> metrics = [.. (await AllMetrics.RegisterAsync()).Families.SelectMany(static family => (string[])[family.Name, family.Name + "_total"])];

        string[] unknown =
        [
            .. MetricName().Matches(text).Select(static match => match.Groups[1].Value).Where(name => !metrics.Contains(name)),
            .. SettingName().Matches(text).Select(static match => match.Groups[1].Value).Where(static name => !DaemonSetContractTests.IsSetting(name) && !OfOthers.Contains(name)),
        ];

        Assert.True(unknown.Length == 0, $"{page} names what the program does not have: {string.Join(", ", unknown)}");
    }

    // Variables of istiod, OpenSSL, git and our scripts that the pages mention.
    private static readonly string[] OfOthers = ["CA_TRUSTED_NODE_ACCOUNTS", "OPENSSL_CONF", "BENCH_NICE"];

    private static bool LeadsSomewhere(string folder, string page, string target)
    {
        string[] parts = target.Split('#');
        string file = parts[0] == "" ? Path.Combine(GeneratedPage.Root, page) : Path.Combine(folder, parts[0]);
        if (!Path.Exists(file))
            return false;
        return parts.Length == 1 || File.ReadLines(file).Any(line => line.StartsWith('#') && Anchor(line) == parts[1]);
    }

    private static string Anchor(string heading) =>
        new([.. heading.TrimStart('#').Trim().ToLowerInvariant().Where(static letter => char.IsLetterOrDigit(letter) || letter is ' ' or '-' or '_').Select(static letter => letter == ' ' ? '-' : letter)]);

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"`((?:ztunnel|istio|workload_manager|process)_[a-z0-9_]+)`")]
    private static partial Regex MetricName();

    [GeneratedRegex(@"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`")]
    private static partial Regex SettingName();
}
