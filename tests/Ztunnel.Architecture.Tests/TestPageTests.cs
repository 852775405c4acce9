using System.Text.RegularExpressions;

namespace Ztunnel.Architecture.Tests;

/// <summary>Pages that say which test holds what: every test they name exists, and every row names one or says in a sentence why there is none.</summary>
public sealed partial class TestPageTests
{
    // A sentence, as opposed to a word that was meant to be replaced.
    private const int ShortestSentence = 30;

    public static TheoryData<string> Pages => ["tests/scenarios.md", "tests/must-match.md", "tests/rfc9113.md", "tests/faults.md", "deploy/threat-model.md", "README.md"];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_TestsItNames_Exist(string page)
    {
        HashSet<string> existing = [.. SourceTree.Sources("tests").SelectMany(static file => TestMethod().Matches(file.Code).Select(method => $"{Path.GetFileNameWithoutExtension(file.Path)}.{method.Groups[1].Value}"))];
        string[] named = [.. Reference().Matches(Read(page)).Select(static match => match.Groups[1].Value).Distinct()];

        Assert.NotEmpty(named);
        string[] missing = [.. named.Where(name => !existing.Contains(name))];
        Assert.True(missing.Length == 0, $"{page} names tests that are not there (renamed, or never written): {string.Join(", ", missing)}");
    }

    [Theory]
    [InlineData("tests/scenarios.md")]
    [InlineData("tests/must-match.md")]
    [InlineData("tests/rfc9113.md")]
    [InlineData("tests/faults.md")]
    [InlineData("deploy/threat-model.md")]
    public void Page_EveryRow_NamesATestOrSaysWhyThereIsNone(string page)
    {
        string[] rows = [.. Read(page).Split('\n').Where(static line => line.StartsWith('|') && !line.StartsWith("|---", StringComparison.Ordinal) && !line.EndsWith("held by |", StringComparison.Ordinal))];

        Assert.NotEmpty(rows);
        string[] empty = [.. rows.Where(static row => row.Split('|')[^2].Trim() is var held && !Reference().IsMatch(held) && held.Length < ShortestSentence)];
        Assert.True(empty.Length == 0, $"{page}: rows without a test or a reason: {string.Join('\n', empty)}");
    }

    private static string Read(string page) => File.ReadAllText(Path.Combine(SourceTree.Root, page));

    [GeneratedRegex(@"`([A-Z]\w*(?:Tests|Targets)\.[A-Z]\w+)`")]
    private static partial Regex Reference();

    [GeneratedRegex(@"public (?:async )?(?:void|Task|ValueTask) ([A-Z]\w+)\(")]
    private static partial Regex TestMethod();
}
