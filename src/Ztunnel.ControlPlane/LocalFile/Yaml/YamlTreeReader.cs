using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Ztunnel.ControlPlane.LocalFile.Yaml;

/// <summary>Turns the parser's events into nodes, one item of a list at a time, so that a large file is never a large tree.</summary>
/// <remarks>
/// Only the library's event layer is used: its serializer works by reflection, which a trimmed binary does not have.
/// Problems of form (a key twice, a key that is no text) are collected; what the parser itself cannot read ends the file with a <see cref="YamlException"/>.
/// </remarks>
internal sealed class YamlTreeReader(TextReader text, ProblemList problems)
{
    // Far above what the format needs; below what the recursion of Build could not bear.
    private const int MaxDepth = 64;

    // Standard tags (!!str, !!int) arrive under this prefix and say what we would assume anyway.
    private const string StandardTagPrefix = "tag:yaml.org,2002:";

    private readonly Parser _parser = new(text);
    private readonly Dictionary<string, YamlNode> _anchors = [];

    private ParsingEvent Current => _parser.Current ?? throw new InvalidOperationException("Read past the end of the document.");

    /// <summary>Moves to the root of the document. False: there is none, as in an empty file.</summary>
    public bool OpenDocument()
    {
        Next();   // to StreamStart
        Next();
        if (Current is StreamEnd) return false;
        Next();   // past DocumentStart
        return true;
    }

    /// <summary>Called when the root has been read: one file holds one document.</summary>
    public void CloseDocument()
    {
        Next();   // past DocumentEnd
        if (Current is DocumentStart second) problems.Add(Position(second), FieldPath.Root, "a second document begins here; the file holds one");
    }

    public bool AtMapping => Current is MappingStart;

    public bool AtSequence => Current is SequenceStart;

    public bool AtEnd => Current is MappingEnd or SequenceEnd;

    /// <summary>Steps into or out of the mapping or sequence at hand.</summary>
    public void Step() => Next();

    /// <summary>Reads the node at hand as a whole and moves behind it.</summary>
    public YamlNode Read(FieldPath path) => Build(path, depth: 0);

    private YamlNode Build(FieldPath path, int depth)
    {
        ParsingEvent start = Current;
        if (depth > MaxDepth) throw new SemanticErrorException(start.Start, start.End, $"nested more than {MaxDepth} levels deep");

        switch (start)
        {
            case AnchorAlias alias:
                Next();
                // The parser refuses unknown anchors. A node that is still being built is not in the table: it cannot hold itself.
                return _anchors.TryGetValue(alias.Value.Value, out YamlNode? known)
                    ? known
                    : throw new SemanticErrorException(alias.Start, alias.End, $"*{alias.Value.Value} refers to something that is not complete");

            case Scalar scalar:
                Next();
                return Remember(scalar, new YamlScalar(Position(scalar), Tag(scalar), scalar.Value, scalar.Style == ScalarStyle.Plain && !IsStandard(scalar)));

            case SequenceStart sequence:
                Next();
                List<YamlNode> items = [];
                while (!AtEnd) items.Add(Build(path.Index(items.Count), depth + 1));
                Next();
                return Remember(sequence, new YamlSequence(Position(sequence), Tag(sequence), items));

            case MappingStart mapping:
                Next();
                List<KeyValuePair<YamlScalar, YamlNode>> entries = ReadEntries(path, depth);
                Next();
                return Remember(mapping, new YamlMapping(Position(mapping), Tag(mapping), entries));

            default:
                throw new SemanticErrorException(start.Start, start.End, $"unexpected {start.GetType().Name}");
        }
    }

    private List<KeyValuePair<YamlScalar, YamlNode>> ReadEntries(FieldPath path, int depth)
    {
        List<KeyValuePair<YamlScalar, YamlNode>> entries = [];
        HashSet<string> seen = [];
        while (!AtEnd)
        {
            if (ReadKey(path, seen) is not { } key)
            {
                Build(path, depth + 1);   // its value goes with it
                continue;
            }
            entries.Add(new(key, Build(path.Key(key.Text), depth + 1)));
        }
        return entries;
    }

    /// <summary>Reads a key. Null: it has been reported, and its value, which is next, is to be dropped.</summary>
    public YamlScalar? ReadKey(FieldPath path, HashSet<string> seen)
    {
        YamlNode node = Build(path, depth: MaxDepth / 2);   // a key is small
        if (node is not YamlScalar key)
        {
            problems.Add(node.Position, path, $"a key must be text, got {node.Kind}");
            return null;
        }
        if (key.Text.Length == 0)
        {
            problems.Add(key.Position, path, "an empty key");
            return null;
        }
        if (!seen.Add(key.Text))
        {
            problems.Add(key.Position, path.Key(key.Text), "the key is here a second time");
            return null;
        }
        return key;
    }

    private YamlNode Remember(NodeEvent start, YamlNode node)
    {
        if (!start.Anchor.IsEmpty) _anchors[start.Anchor.Value] = node;
        return node;
    }

    private static bool IsStandard(NodeEvent node) => !node.Tag.IsEmpty && node.Tag.Value.StartsWith(StandardTagPrefix, StringComparison.Ordinal);

    private static string? Tag(NodeEvent node) => node.Tag.IsEmpty || node.Tag.IsNonSpecific || IsStandard(node) ? null : node.Tag.Value;

    private static YamlPosition Position(ParsingEvent at) => new((int)at.Start.Line, (int)at.Start.Column);

    private void Next()
    {
        if (!Move()) throw new InvalidOperationException("Read past the end of the stream.");
    }

    // Some malformed texts end the library's scanner not with its own exception but with whatever went wrong inside.
    private bool Move()
    {
        try
        {
            return _parser.MoveNext();
        }
        catch (Exception broken) when (broken is InvalidOperationException or IndexOutOfRangeException or NullReferenceException or (ArgumentException and not DecoderFallbackException))
        {
            Mark at = _parser.Current?.End ?? Mark.Empty;
            throw new SemanticErrorException(at, at, $"what follows cannot be read ({broken.Message})");
        }
    }
}
