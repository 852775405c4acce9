using System.Xml.Linq;

namespace Ztunnel.Architecture.Tests;

/// <summary>References run one way: the table is the architecture, the project files only repeat it.</summary>
public sealed class ProjectReferenceTests
{
    /// <summary>Project, the projects it may reference, the packages it may reference.</summary>
    private static readonly Dictionary<string, (string[] Projects, string[] Packages)> Allowed = new()
    {
        // Composition: everything meets here and nowhere else.
        ["Ztunnel"] =
        (
            ["Ztunnel.Proxy", "Ztunnel.Dns", "Ztunnel.ControlPlane", "Ztunnel.InPod", "Ztunnel.Mesh", "Ztunnel.Http2", "Ztunnel.Tls", "Ztunnel.Linux", "Ztunnel.Telemetry", "Ztunnel.Protos"],
            ["System.CommandLine", "Microsoft.Extensions.Logging.Abstractions", "YamlDotNet"]
        ),
        // The data plane does not know where its configuration and its pods come from.
        ["Ztunnel.Proxy"] = (["Ztunnel.Mesh", "Ztunnel.Http2", "Ztunnel.Tls", "Ztunnel.Linux", "Ztunnel.Telemetry"], ["Microsoft.Extensions.Logging.Abstractions"]),
        ["Ztunnel.Dns"] = (["Ztunnel.Mesh", "Ztunnel.Linux", "Ztunnel.Telemetry"], ["Microsoft.Extensions.Logging.Abstractions"]),
        // Decisions are pure: no I/O, no logging, no packages.
        ["Ztunnel.Mesh"] = ([], []),
        // Protocol machines: bytes in, bytes out, on the loop's buffers.
        ["Ztunnel.Http2"] = (["Ztunnel.Linux"], []),
        ["Ztunnel.Tls"] = (["Ztunnel.Mesh", "Ztunnel.Linux"], []),
        ["Ztunnel.ControlPlane"] =
        (
            ["Ztunnel.Mesh", "Ztunnel.Tls", "Ztunnel.Protos", "Ztunnel.Telemetry"],
            ["Microsoft.Extensions.Logging.Abstractions", "YamlDotNet", "Google.Protobuf"]
        ),
        ["Ztunnel.InPod"] =
        (
            ["Ztunnel.Mesh", "Ztunnel.Linux", "Ztunnel.Protos", "Ztunnel.Telemetry"],
            ["Microsoft.Extensions.Logging.Abstractions", "Google.Protobuf"]
        ),
        // The bottom: libc, and the meters everybody reads.
        ["Ztunnel.Linux"] = ([], []),
        ["Ztunnel.Telemetry"] = ([], ["Microsoft.Extensions.Logging.Abstractions"]),
        ["Ztunnel.Protos"] = ([], ["Google.Protobuf", "Grpc.Tools"]),
    };

    [Fact]
    public void ProductProjects_AreThoseOfTheTable()
    {
        Assert.Equal(Allowed.Keys.Order(StringComparer.Ordinal), SourceTree.Projects("src").Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void ProductProjects_ReferenceOnlyWhatTheTableAllows()
    {
        string[] wrong =
        [
            .. from project in SourceTree.Projects("src")
               from reference in References(project.Value, "ProjectReference").Select(static path => Path.GetFileNameWithoutExtension(path))
               where !Allowed[project.Key].Projects.Contains(reference)
               select $"{project.Key} -> {reference}",
        ];

        Assert.True(wrong.Length == 0, $"references that the table does not have (data plane and control plane meet only in the executable): {string.Join(", ", wrong)}");
    }

    [Fact]
    public void ProductProjects_UseOnlyPackagesWithADecision()
    {
        string[] wrong =
        [
            .. from project in SourceTree.Projects("src")
               from package in References(project.Value, "PackageReference")
               where !Allowed[project.Key].Packages.Contains(package)
               select $"{project.Key} -> {package}",
        ];

        Assert.True(wrong.Length == 0, $"packages without a decision record (src/decisions): {string.Join(", ", wrong)}");
    }

    [Fact]
    public void UnsafeBlocks_AreAllowedBesideTheNativeLibrariesOnly()
    {
        string[] projects = [.. SourceTree.Projects("src").Where(static project => project.Value.Descendants("AllowUnsafeBlocks").Any()).Select(static project => project.Key)];

        Assert.All(projects, static project => Assert.Contains(project, new[] { "Ztunnel.Linux", "Ztunnel.Tls" }));
    }

    [Fact]
    public void ProductProjects_HaveATestProjectEach()
    {
        // Generated code is tested where it is used.
        string[] expected = [.. Allowed.Keys.Where(static project => project != "Ztunnel.Protos").Select(static project => project + ".Tests")];

        Assert.All(expected, static project => Assert.Contains(project, SourceTree.Projects("tests").Keys));
    }

    private static IEnumerable<string> References(XDocument project, string kind) =>
        project.Descendants(kind).Select(static reference => reference.Attribute("Include")?.Value).OfType<string>();
}
