namespace Ztunnel.ControlPlane.LocalFile.Yaml;

/// <summary>The fields of one map, taken by name. What nobody takes is an unknown key and reported as such.</summary>
/// <remarks>Every getter reports what is wrong and returns a value to go on with, so that one pass finds all mistakes. Whoever asked looks at the problem list before using the result.</remarks>
internal sealed class MapFields
{
    private readonly YamlMapping _map;
    private readonly ProblemList _problems;
    private readonly List<string> _known = [];

    private MapFields(YamlMapping map, FieldPath path, ProblemList problems)
    {
        _map = map;
        Path = path;
        _problems = problems;
    }

    public FieldPath Path { get; }

    public YamlPosition Position => _map.Position;

    /// <summary>Opens a map. Null: it is none, which has been reported.</summary>
    public static MapFields? Open(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (Values.AsMap(node, path, problems) is not { } map) return null;
        return new MapFields(map, path, problems);
    }

    /// <summary>The value of an optional key, or null when the key is absent.</summary>
    public YamlNode? Optional(string key)
    {
        _known.Add(key);
        foreach (KeyValuePair<YamlScalar, YamlNode> entry in _map.Entries)
        {
            if (entry.Key.Text == key) return entry.Value;
        }
        return null;
    }

    /// <summary>The value of an optional key whose value may also be written as <c>null</c>.</summary>
    public YamlNode? Nullable(string key) => Optional(key) is { } node && node is not YamlScalar { IsNull: true, Text.Length: > 0 } ? node : null;

    /// <summary>The value of a key that must be there.</summary>
    public YamlNode? Required(string key)
    {
        YamlNode? node = Optional(key);
        if (node is null) _problems.Add(_map.Position, Path, $"the key '{key}' is missing");
        return node;
    }

    public string Text(string key, string absent = "") =>
        Optional(key) is { } node ? Values.AsText(node, Path.Key(key), _problems) ?? absent : absent;

    /// <summary>Text that must be there and not be empty.</summary>
    public string RequiredText(string key)
    {
        if (Required(key) is not { } node) return "";
        string? text = Values.AsText(node, Path.Key(key), _problems);
        if (text is "") _problems.Add(node.Position, Path.Key(key), "must not be empty");
        return text ?? "";
    }

    public bool Boolean(string key, bool absent) =>
        Optional(key) is { } node ? Values.AsBoolean(node, Path.Key(key), _problems) : absent;

    public uint Number(string key, uint minimum, uint maximum, uint absent) =>
        Optional(key) is { } node ? Values.AsNumber(node, Path.Key(key), minimum, maximum, _problems) : absent;

    public T Word<T>(string key, Words<T> words, T absent) =>
        Optional(key) is { } node ? words.Read(node, Path.Key(key), _problems) : absent;

    public T RequiredWord<T>(string key, Words<T> words)
        where T : struct =>
        Required(key) is { } node ? words.Read(node, Path.Key(key), _problems) : default;

    /// <summary>Reads every item of a list with its own path. A list that is required and absent has been reported and is empty.</summary>
    public List<T> List<T>(string key, bool required, Func<YamlNode, FieldPath, ProblemList, T> read)
    {
        YamlNode? node = required ? Required(key) : Optional(key);
        return node is null ? [] : Values.AsList(node, Path.Key(key), _problems, read);
    }

    /// <summary>Reports the keys that nobody asked for.</summary>
    public void RejectOthers()
    {
        foreach ((YamlScalar key, _) in _map.Entries)
        {
            if (!_known.Contains(key.Text)) _problems.Add(key.Position, Path.Key(key.Text), $"an unknown key; known are {string.Join(", ", _known)}");
        }
    }
}
