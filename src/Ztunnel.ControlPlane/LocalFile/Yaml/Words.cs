namespace Ztunnel.ControlPlane.LocalFile.Yaml;

/// <summary>The words that a field may hold, spelled exactly so.</summary>
internal sealed class Words<T>(params (string Word, T Value)[] words)
{
    private readonly (string Word, T Value)[] _words = words;

    public T Read(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (node is YamlScalar { Tag: null } scalar)
        {
            foreach ((string word, T value) in _words)
            {
                if (word == scalar.Text) return value;
            }
        }
        problems.Add(node.Position, path, $"expected {string.Join(", ", _words.Select(static w => w.Word))}, got {node.Kind}");
        return _words[0].Value;
    }
}
