namespace Ztunnel.ControlPlane.LocalFile.Yaml;

/// <summary>Where something begins in the file; both count from 1.</summary>
internal readonly record struct YamlPosition(int Line, int Column);

/// <summary>A piece of YAML with its place in the file, so that every mistake can be pointed at. The tag is a local one such as <c>!Exact</c>, or null.</summary>
internal abstract record YamlNode(YamlPosition Position, string? Tag)
{
    /// <summary>What this is, in the words of an error message.</summary>
    public abstract string Kind { get; }
}

/// <summary>Text. Plain means written without quotes: only then can it be a number, a boolean or nothing.</summary>
internal sealed record YamlScalar(YamlPosition Position, string? Tag, string Text, bool IsPlain) : YamlNode(Position, Tag)
{
    public bool IsNull => IsPlain && Tag is null && Text is ("" or "~" or "null");

    public override string Kind => IsNull ? "nothing" : $"'{Shorten(Text)}'";

    private static string Shorten(string text) => text.Length <= 80 ? text : string.Concat(text.AsSpan(0, 80), "…");
}

internal sealed record YamlSequence(YamlPosition Position, string? Tag, List<YamlNode> Items) : YamlNode(Position, Tag)
{
    public override string Kind => "a list";
}

internal sealed record YamlMapping(YamlPosition Position, string? Tag, List<KeyValuePair<YamlScalar, YamlNode>> Entries) : YamlNode(Position, Tag)
{
    public override string Kind => "a map";
}
