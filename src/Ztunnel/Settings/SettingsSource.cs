namespace Ztunnel.Settings;

/// <summary>Where settings come from. The process's own source is made by <see cref="FromProcess"/>; tests give functions.</summary>
public sealed record SettingsSource
{
    /// <summary>The value of an environment variable, null when it is not set.</summary>
    public required Func<string, string?> Lookup { get; init; }

    /// <summary>The names of all variables that are set, for those that are known by their prefix.</summary>
    public required IReadOnlyCollection<string> Names { get; init; }

    /// <summary>The text of a file, null when it does not exist.</summary>
    public Func<string, string?> ReadFile { get; init; } = static path => File.Exists(path) ? File.ReadAllText(path) : null;

    /// <summary>Logical processors this process may use.</summary>
    public int ProcessorCount { get; init; } = Environment.ProcessorCount;

    public static SettingsSource FromProcess() => new()
    {
        Lookup = Environment.GetEnvironmentVariable,
        Names = [.. Environment.GetEnvironmentVariables().Keys.Cast<string>()],
    };

    /// <summary>The variables with a prefix, in the order of their names, the prefix taken off.</summary>
    public IEnumerable<(string Suffix, string Value)> WithPrefix(string prefix) =>
        from name in Names
        where name.StartsWith(prefix, StringComparison.Ordinal)
        orderby name
        select (name[prefix.Length..], Lookup(name) ?? "");
}
