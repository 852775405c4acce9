namespace Ztunnel.Tests.Pages;

/// <summary>A page under deploy/ that is made from the program's own tables. With ZTUNNEL_WRITE_PAGES=1 a test writes it instead of comparing it.</summary>
internal static class GeneratedPage
{
    public static string Root { get; } = FindRoot();

    public static void AssertIs(string page, string expected)
    {
        string path = Path.Combine(Root, "deploy", page);
        if (Environment.GetEnvironmentVariable("ZTUNNEL_WRITE_PAGES") == "1")
            File.WriteAllText(path, expected);
        Assert.True(File.Exists(path) && File.ReadAllText(path) == expected, $"deploy/{page} is not what the program says: run this test once with ZTUNNEL_WRITE_PAGES=1, look at the difference and commit it");
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Ztunnel.sln")))
                return folder.FullName;
        }

        throw new InvalidOperationException($"no repository above {AppContext.BaseDirectory}");
    }
}
