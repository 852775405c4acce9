using System.Xml.Linq;

namespace Ztunnel.Architecture.Tests;

/// <summary>The checkout these tests read: its root, its projects and its C# sources without comments and texts.</summary>
internal static class SourceTree
{
    public static string Root { get; } = FindRoot();

    /// <summary>Every C# file below the folder (relative to the root), as (relative path, code without comments and string contents).</summary>
    public static IEnumerable<(string Path, string Code)> Sources(string folder) =>
        Files(folder, "*.cs").Select(static path => (Relative(path), CodeText.WithoutCommentsAndTexts(File.ReadAllText(path))));

    /// <summary>The project files below src, by project name.</summary>
    public static IReadOnlyDictionary<string, XDocument> Projects(string folder) =>
        Files(folder, "*.csproj").ToDictionary(static path => Path.GetFileNameWithoutExtension(path), static path => XDocument.Load(path));

    private static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories).Order(StringComparer.Ordinal);

    private static string Relative(string path) => Path.GetRelativePath(Root, path);

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Ztunnel.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"no Ztunnel.sln above {AppContext.BaseDirectory}");
    }
}
