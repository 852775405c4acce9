using System.Text.RegularExpressions;
using Ztunnel.Tests.Pages;

namespace Ztunnel.Tests.Deploy;

/// <summary>The Dockerfile and the test that stands in for it run the same scripts; what it copies exists and is not kept from it.</summary>
public sealed partial class ImageFilesTests
{
    private static readonly string Dockerfile = File.ReadAllText(Path.Combine(GeneratedPage.Root, "Dockerfile"));

    [Fact]
    public void Sources_Copied_ExistAndReachTheBuild()
    {
        string[] allowed = [.. File.ReadLines(Path.Combine(GeneratedPage.Root, ".dockerignore")).Where(static line => line.StartsWith('!')).Select(static line => line[1..])];
        string[] sources = [.. CopyLine().Matches(Dockerfile).SelectMany(static match => match.Groups[1].Value.Split(' ')[..^1])];

        Assert.NotEmpty(sources);
        Assert.All(sources, source =>
        {
            Assert.True(Path.Exists(Path.Combine(GeneratedPage.Root, source)), $"{source} is copied but not there");
            Assert.True(allowed.Any(entry => source == entry || source.StartsWith(entry + "/", StringComparison.Ordinal)), $".dockerignore keeps {source} from the build");
        });
    }

    [Theory]
    [InlineData("userland.sh")]
    [InlineData("assemble.sh")]
    public void Stages_AreTheScriptsThatTheTestRuns(string script)
    {
        string test = File.ReadAllText(Path.Combine(Manifest.Folder, "image", "test.sh"));

        Assert.Matches($@"(?m)^RUN /image/{Regex.Escape(script)} /rootfs", Dockerfile);
        Assert.Contains($"deploy/image/{script}", test, StringComparison.Ordinal);
    }

    [Fact]
    public void FinalStage_IsWhatTheContractAsksFor()
    {
        string final = Dockerfile[Dockerfile.IndexOf("FROM scratch", StringComparison.Ordinal)..];

        Assert.Contains("ENTRYPOINT [\"/usr/local/bin/ztunnel\"]", final, StringComparison.Ordinal);
        Assert.Contains("CMD [\"proxy\", \"ztunnel\"]", final, StringComparison.Ordinal);
        Assert.Contains("USER 0:1337", final, StringComparison.Ordinal);
        Assert.Contains("ISTIO_META_ISTIO_VERSION=", final, StringComparison.Ordinal);
        Assert.All((string[])["title", "description", "licenses", "version", "revision", "created"], label => Assert.Contains($"org.opencontainers.image.{label}=", final, StringComparison.Ordinal));
        Assert.DoesNotContain("RUN ", final, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"(?m)^COPY (?!--from)(.+)$")]
    private static partial Regex CopyLine();
}
