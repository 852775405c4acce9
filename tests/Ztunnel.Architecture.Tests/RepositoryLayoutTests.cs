using System.Text.RegularExpressions;

namespace Ztunnel.Architecture.Tests;

public sealed class RepositoryLayoutTests
{
    private static readonly string[] RootEntries =
    [
        "src", "bench", "tests", "proto", "deploy",
        "Ztunnel.sln", "Dockerfile", "Directory.Build.props", "Directory.Packages.props", "global.json", "README.md", "ARCHITECTURE.md", "LICENSE",
        // What builds leave behind; ignored by git.
        "artifacts", "TestResults", "BenchmarkDotNet.Artifacts",
    ];

    [Fact]
    public void Root_HoldsOnlyAgreedEntries()
    {
        string[] strangers =
        [
            .. Directory.EnumerateFileSystemEntries(SourceTree.Root)
                .Select(static path => Path.GetFileName(path))
                .Where(static name => !name.StartsWith('.') && !RootEntries.Contains(name)),
        ];

        Assert.True(strangers.Length == 0, $"the root is the first page a reader sees; these belong in a folder: {string.Join(", ", strangers)}");
    }

    [Fact]
    public void ArchitecturePage_PathsItNames_Exist()
    {
        string page = Path.Combine(SourceTree.Root, "ARCHITECTURE.md");
        Assert.True(File.Exists(page), "ARCHITECTURE.md is missing");

        string[] missing =
        [
            .. Regex.Matches(File.ReadAllText(page), @"`((?:src|tests|bench|proto|deploy)/[A-Za-z0-9_./-]+)`")
                .Select(static match => match.Groups[1].Value)
                .Distinct()
                .Where(static path => !Path.Exists(Path.Combine(SourceTree.Root, path))),
        ];

        Assert.True(missing.Length == 0, $"ARCHITECTURE.md changes in the same commit as the code; it names what is not there: {string.Join(", ", missing)}");
    }

    [Theory]
    [InlineData("src")]
    [InlineData("tests")]
    public void SourceFiles_HoldOneIdea(string folder)
    {
        // Near 300 lines a reader looks for a second idea; at 500 there is one.
        const int MaxLines = 500;

        string[] large = [.. SourceTree.Sources(folder).Where(static file => file.Code.AsSpan().Count('\n') > MaxLines).Select(static file => file.Path)];

        Assert.True(large.Length == 0, $"more than {MaxLines} lines: {string.Join(", ", large)}");
    }
}
