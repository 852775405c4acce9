using System.Globalization;

namespace Ztunnel.ControlPlane.LocalFile.Yaml;

/// <summary>Reads single values of the kinds every format has. A wrong kind is reported, and something harmless returned.</summary>
internal static class Values
{
    public static YamlMapping? AsMap(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (node is YamlMapping { Tag: null } map) return map;
        Expected("a map", node, path, problems);
        return null;
    }

    public static List<T> AsList<T>(YamlNode node, FieldPath path, ProblemList problems, Func<YamlNode, FieldPath, ProblemList, T> read)
    {
        if (node is not YamlSequence { Tag: null } sequence)
        {
            Expected("a list", node, path, problems);
            return [];
        }
        List<T> items = new(sequence.Items.Count);
        foreach (YamlNode item in sequence.Items) items.Add(read(item, path.Index(items.Count), problems));
        return items;
    }

    /// <summary>Text as it stands. Numbers and booleans are text too where text is asked for, since names look like that; nothing at all is not.</summary>
    public static string? AsText(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (node is YamlScalar { Tag: null, IsNull: false } scalar) return scalar.Text;
        Expected("text", node, path, problems);
        return null;
    }

    public static bool AsBoolean(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (node is YamlScalar { Tag: null, IsPlain: true, Text: "true" }) return true;
        if (node is not YamlScalar { Tag: null, IsPlain: true, Text: "false" }) Expected("true or false", node, path, problems);
        return false;
    }

    public static uint AsNumber(YamlNode node, FieldPath path, uint minimum, uint maximum, ProblemList problems)
    {
        if (node is YamlScalar { Tag: null, IsPlain: true } scalar && IsNumber(scalar.Text, minimum, maximum, out uint number)) return number;
        Expected(string.Create(CultureInfo.InvariantCulture, $"a number from {minimum} to {maximum}"), node, path, problems);
        return minimum;
    }

    public static bool IsNumber(string text, uint minimum, uint maximum, out uint number) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= minimum && number <= maximum;

    public static void Expected(string what, YamlNode node, FieldPath path, ProblemList problems) =>
        problems.Add(node.Position, path, node.Tag is null ? $"expected {what}, got {node.Kind}" : $"expected {what}, got {node.Kind} with the tag {node.Tag}");
}
