using System.Text.Json;
using System.Text.RegularExpressions;

namespace Ztunnel.Namespace.Tests.Observability;

/// <summary>One access log line, plain or JSON: its fields in their order with their texts as written, level and message first. What differs from run to run is replaced.</summary>
internal sealed partial class LogFields
{
    /// <summary>What the existing program does not have stands behind its fields.</summary>
    public static readonly string[] Ours = ["response_flags", "reason", "trace_id", "attempts"];

    private LogFields(List<KeyValuePair<string, string>> fields) => Fields = fields;

    public List<KeyValuePair<string, string>> Fields { get; }

    public string? this[string name] => Fields.Find(field => field.Key == name).Value;

    public static bool IsAccess(string line) => line.Contains("\taccess\t", StringComparison.Ordinal) || line.Contains("\"scope\":\"access\"", StringComparison.Ordinal);

    public static LogFields Read(string line)
    {
        List<KeyValuePair<string, string>> fields = line.StartsWith('{') ? ReadJson(line) : ReadPlain(line);
        return new LogFields([.. fields.Select(static field => KeyValuePair.Create(field.Key, Stable(field.Key, field.Value)))]);
    }

    /// <summary>The same without our own fields, which have to be the last ones.</summary>
    public LogFields WithoutOurs()
    {
        int known = Fields.FindIndex(static field => Ours.Contains(field.Key));
        if (known < 0)
            return this;
        Assert.All(Fields.Skip(known), static field => Assert.Contains(field.Key, Ours));
        return new LogFields(Fields[..known]);
    }

    /// <summary>The same with one field changed; null takes it out, and a field that was not there goes behind <paramref name="behind"/>.</summary>
    public LogFields With(string name, string? value, string behind)
    {
        List<KeyValuePair<string, string>> fields = [.. Fields];
        int index = fields.FindIndex(field => field.Key == name);
        if (index >= 0)
            fields.RemoveAt(index);
        else
            index = fields.FindIndex(field => field.Key == behind) + 1;
        if (value is not null)
            fields.Insert(index, KeyValuePair.Create(name, value));
        return new LogFields(fields);
    }

    public override string ToString() => string.Join(' ', Fields.Select(static field => $"{field.Key}={field.Value}"));

    private static List<KeyValuePair<string, string>> ReadPlain(string line)
    {
        string[] columns = line.Split('\t');
        Assert.Equal(5, columns.Length);
        Assert.Equal("access", columns[2]);
        return [new("level", columns[1]), new("message", columns[3]), .. Pair().Matches(columns[4]).Select(static match => KeyValuePair.Create(match.Groups[1].Value, match.Groups[2].Value))];
    }

    private static List<KeyValuePair<string, string>> ReadJson(string line)
    {
        using var json = JsonDocument.Parse(line);
        List<JsonProperty> properties = [.. json.RootElement.EnumerateObject()];
        Assert.Equal(["level", "time", "scope", "message"], properties.Take(4).Select(static property => property.Name));
        Assert.Equal("access", properties[2].Value.GetString());
        // Raw text: a number is not a string.
        return [.. properties.Where(static property => property.Name is not ("time" or "scope")).Select(static property => KeyValuePair.Create(property.Name, property.Value.GetRawText()))];
    }

    // Times and the ports that the kernel chose.
    private static string Stable(string name, string value) => name switch
    {
        "duration" => Digits().Replace(value, "N"),
        "src.addr" => SourcePort().Replace(value, ":PORT$1"),
        _ => value,
    };

    [GeneratedRegex("""([\w.]+)=("(?:[^"\\]|\\.)*"|\S+)""")]
    private static partial Regex Pair();

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Digits();

    [GeneratedRegex(":[0-9]+(\"?)$")]
    private static partial Regex SourcePort();
}
