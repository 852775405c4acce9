using System.Text.RegularExpressions;
using Ztunnel.Settings;
using Ztunnel.Tests.Settings;

namespace Ztunnel.Tests.Pages;

/// <summary>deploy/settings.md and deploy/daemonset/base/settings.env are the <see cref="SettingCatalogue"/>, and that is what <see cref="ZtunnelSettings"/> reads.</summary>
public sealed partial class SettingsPageTests
{
    private const string Head = """
        # Settings

        Environment variables, read once at the start; `ztunnel help settings` prints this list. A value that cannot be used ends the start with one line for each mistake, which names the variable, its value and what was expected.
        Durations are numbers with units, one after the other: `1m30s`, `250ms`, `24h`; a bare number means seconds. A variable that is set to nothing is not the same as one that is unset. *Ours*: not a variable of Istio's ztunnel.

        """;

    private const string EnvironmentHead = """
        # Settings of every ztunnel of the cluster. Uncomment a line and apply the kustomization again: the pods roll, since the ConfigMap made from this file has its hash in its name.
        # Variables that daemonset.yaml sets itself win over this file and are not listed; deploy/settings.md explains all of them.

        """;

    // Set for each pod or node by the manifests, or only of use to programs that run outside a cluster.
    private static readonly string[] NotForAFileOfTheCluster = ["XDS_HEADER_", "CA_HEADER_", "ISTIO_META_", "ISTIO_METAJSON_", "KUBERNETES_SERVICE_HOST"];

    [Fact]
    public void Page_ListsEverySetting()
    {
        var page = new StringWriter { NewLine = "\n" };
        page.Write(Head);
        SettingCatalogue.Write(page);

        GeneratedPage.AssertIs("settings.md", page.ToString());
    }

    [Fact]
    public void SettingsFile_OfTheDaemonSet_ListsWhatTheManifestDoesNotSet()
    {
        HashSet<string> set = [.. EnvironmentName().Matches(File.ReadAllText(Path.Combine(GeneratedPage.Root, "deploy", "daemonset", "base", "daemonset.yaml"))).Select(static match => match.Groups[1].Value)];
        var file = new StringWriter { NewLine = "\n" };
        file.Write(EnvironmentHead);
        foreach (SettingEntry entry in SettingCatalogue.All.Where(entry => entry.Area != SettingArea.Ignored && !set.Contains(entry.Name) && !NotForAFileOfTheCluster.Contains(entry.Name)))
            file.Write($"\n# {entry.Meaning.Replace("`", "", StringComparison.Ordinal)} ({entry.Kind.Replace("`", "", StringComparison.Ordinal)})\n#{entry.Name}={entry.Default}\n");

        GeneratedPage.AssertIs("daemonset/base/settings.env", file.ToString());
    }

    [Fact]
    public void Names_ThatAreRead_AreThoseOfTheCatalogue()
    {
        HashSet<string> read = new(StringComparer.Ordinal);
        ZtunnelSettings.Read(new SettingsSource
        {
            Lookup = name =>
            {
                read.Add(name);
                return null;
            },
            Names = [],
            ReadFile = static _ => null,
        });
        // Metadata that steers the program is found among the names with the prefix, not looked up.
        IEnumerable<string> listed = SettingCatalogue.All
            .Where(static entry => entry.Area != SettingArea.Ignored && !entry.IsPrefix && entry.Name is not ("ISTIO_META_DNS_CAPTURE" or "ISTIO_META_DNS_PROXY_ADDR"))
            .Select(static entry => entry.Name);

        string unlisted = string.Join(", ", read.Except(listed).Order(StringComparer.Ordinal));
        string unread = string.Join(", ", listed.Except(read).Order(StringComparer.Ordinal));

        Assert.True(unlisted == "", $"{unlisted}: read, but not in SettingCatalogue; add a row, then run the tests of {nameof(SettingsPageTests)} once with ZTUNNEL_WRITE_PAGES=1 and commit what changes under deploy/");
        Assert.True(unread == "", $"{unread}: in SettingCatalogue, but nothing reads it; remove the row, then run the tests of {nameof(SettingsPageTests)} once with ZTUNNEL_WRITE_PAGES=1 and commit what changes under deploy/");
    }

    [Fact]
    public void Prefixes_ThatAreRead_AreThoseOfTheCatalogue()
    {
        IEnumerable<string> read = Directory.EnumerateFiles(Path.Combine(GeneratedPage.Root, "src", "Ztunnel", "Settings"), "*.cs")
            .Where(static path => Path.GetFileName(path) != "SettingCatalogue.cs")
            .SelectMany(static path => PrefixLiteral().Matches(File.ReadAllText(path)).Select(static match => match.Groups[1].Value));

        Assert.Equal(SettingCatalogue.All.Where(static entry => entry.IsPrefix).Select(static entry => entry.Name).Order(StringComparer.Ordinal), read.Distinct().Order(StringComparer.Ordinal));
    }

    public static TheoryData<string, string> Defaults()
    {
        var rows = new TheoryData<string, string>();
        foreach (SettingEntry entry in SettingCatalogue.All.Where(static entry => entry.Default is not null))
            rows.Add(entry.Name, entry.Default!);
        return rows;
    }

    [Theory]
    [MemberData(nameof(Defaults))]
    public void Default_Written_SaysTheSameAsNone(string name, string value)
    {
        // What istiod is told keeps the names as they are; everything else must not change.
        Assert.Equivalent(Comparable(TestSource.Read()), Comparable(TestSource.Read((name, value))), strict: true);

        static object[] Comparable(ZtunnelSettings settings) =>
        [
            settings.ControlPlane, settings.Node, settings.Mode, settings.Tuning, settings.Observability with { LogFilter = Telemetry.Logging.LogFilter.Default },
            settings.Observability.LogFilter.ToString() ?? "",
        ];
    }

    [GeneratedRegex("name: ([A-Z][A-Z0-9_]+)")]
    private static partial Regex EnvironmentName();

    [GeneratedRegex("\"([A-Z][A-Z0-9_]*_)\"")]
    private static partial Regex PrefixLiteral();
}
