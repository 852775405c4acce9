namespace Ztunnel.Fuzz.Tests;

/// <summary>What mutations start from, as files: one seed a line, and what a run has found is added to them. Lines that begin with # say what it is.</summary>
internal static class Seeds
{
    public static string[] Lines(string name) => [.. File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Seeds", name + ".txt")).Where(static line => line.Length > 0 && line[0] != '#')];

    public static byte[][] Hex(string name) => [.. Lines(name).Select(static line => Convert.FromHexString(line.Replace(" ", "", StringComparison.Ordinal)))];
}
