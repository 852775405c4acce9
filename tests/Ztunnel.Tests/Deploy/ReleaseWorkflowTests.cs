using System.Text.RegularExpressions;
using Ztunnel.Testing.Processes;
using Ztunnel.Tests.Pages;

namespace Ztunnel.Tests.Deploy;

/// <summary>.github/workflows/release.yml as far as it can be checked without GitHub: its YAML, its order, its shell, its names.</summary>
public sealed partial class ReleaseWorkflowTests
{
    private static readonly Manifest Workflow = Manifest.Parse(File.ReadAllText(Path.Combine(GeneratedPage.Root, ".github", "workflows", "release.yml"))).Single();

    [Fact]
    public void Jobs_TestBeforeImageBeforeRelease_WithLimits()
    {
        Assert.Equal("test", Workflow.Field("jobs|image|needs"));
        Assert.Equal("image", Workflow.Field("jobs|release|needs"));
        Assert.Equal("startsWith(github.ref, 'refs/tags/')", Workflow.Field("jobs|release|if"));
        Assert.Equal("{contents: read}", Workflow.Field("permissions"));
        Assert.All((string[])["test", "image", "release"], static job => Assert.NotEqual("", Workflow.Field($"jobs|{job}|timeout-minutes")));
    }

    [Fact]
    public void Image_TwoArchitecturesWithSbomAndSignature()
    {
        Manifest build = Workflow.List("jobs|image|steps").Single(static step => step.Field("id") == "build");

        Assert.Equal("linux/amd64,linux/arm64", build.Field("with|platforms"));
        Assert.Equal("true", build.Field("with|sbom"));
        Assert.Equal("mode=max", build.Field("with|provenance"));
        string dockerfile = File.ReadAllText(Path.Combine(GeneratedPage.Root, "Dockerfile"));
        Assert.All(build.Field("with|build-args").Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Matches($"(?m)^ARG {line.Split('=')[0]}(=|$)", dockerfile));
        Assert.Contains(Workflow.List("jobs|image|steps"), static step => step.Field("run").StartsWith("cosign sign --yes", StringComparison.Ordinal));
    }

    [Fact]
    public void Steps_ReferToOutputsThatExist()
    {
        string text = File.ReadAllText(Path.Combine(GeneratedPage.Root, ".github", "workflows", "release.yml"));
        string names = Workflow.List("jobs|image|steps").Single(static step => step.Field("id") == "names").Field("run");

        Assert.All(OutputOfNames().Matches(text).Select(static match => match.Groups[1].Value), output => Assert.Contains($"echo \"{output}=", names, StringComparison.Ordinal));
        Assert.All(OutputOfImage().Matches(text).Select(static match => match.Groups[1].Value), output => Assert.NotEqual("", Workflow.Field($"jobs|image|outputs|{output}")));
    }

    [Fact]
    public void Shell_OfEveryStep_IsCleanForShellcheck()
    {
        string folder = Directory.CreateTempSubdirectory("zt-workflow-").FullName;
        try
        {
            string[] scripts = [.. ((string[])["test", "image", "release"]).SelectMany(static job => Workflow.List($"jobs|{job}|steps")).Select(static step => step.Field("run")).Where(static run => run.Length > 0)];
            for (int i = 0; i < scripts.Length; i++)
            {
                string file = Path.Combine(folder, $"{i}.sh");
                File.WriteAllText(file, $"#!/bin/bash\nset -e\n{scripts[i]}\n");
                // SC2154: the steps' env names the variables. SC2016: backquotes of Markdown.
                TestCommand.Run("shellcheck", "--exclude=SC2154,SC2016", file).EnsureSucceeded();
            }

            Assert.True(scripts.Length >= 5);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Actions_NameAVersion() =>
        Assert.All(((string[])["test", "image", "release"]).SelectMany(static job => Workflow.List($"jobs|{job}|steps")).Select(static step => step.Field("uses")).Where(static uses => uses.Length > 0), static uses => Assert.Matches(@"^[\w.-]+/[\w./-]+@(v\d+|[0-9a-f]{40})$", uses));

    [GeneratedRegex(@"steps\.names\.outputs\.(\w+)")]
    private static partial Regex OutputOfNames();

    [GeneratedRegex(@"needs\.image\.outputs\.(\w+)")]
    private static partial Regex OutputOfImage();
}
