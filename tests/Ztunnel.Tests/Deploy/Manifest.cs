using YamlDotNet.RepresentationModel;
using Ztunnel.Testing.Processes;
using Ztunnel.Tests.Pages;

namespace Ztunnel.Tests.Deploy;

/// <summary>One Kubernetes object, as kustomize renders it; its fields are found by paths and compared as text.</summary>
internal sealed class Manifest(YamlMappingNode root)
{
    public static string Folder { get; } = Path.Combine(GeneratedPage.Root, "deploy");

    public string Kind => Field("kind");

    public string Name => Field("metadata|name");

    public static IReadOnlyList<string> Overlays { get; } =
        ["base", .. Directory.EnumerateDirectories(Path.Combine(Folder, "daemonset", "overlays")).Select(static path => "overlays/" + Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    /// <summary>Everything a kustomization makes.</summary>
    public static IReadOnlyList<Manifest> Render(string overlay)
    {
        CommandResult rendered = TestCommand.Run("kubectl", "kustomize", Path.Combine(Folder, "daemonset", overlay));
        Assert.True(rendered.Succeeded, $"deploy/daemonset/{overlay} does not render: {rendered.Error}");
        return Parse(rendered.Output);
    }

    public static IReadOnlyList<Manifest> Parse(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return [.. stream.Documents.Select(static document => new Manifest((YamlMappingNode)document.RootNode))];
    }

    /// <summary>
    /// The field at a path whose steps are separated by <c>|</c>: a key, the number of an element, or <c>key=value</c> for the element of a list that has it.
    /// Lists are written [a, b], mappings {a: 1} with sorted keys; a field that is not there is empty.
    /// </summary>
    public string Field(string path) => Find(path) is { } node ? Write(node) : "";

    public IEnumerable<Manifest> List(string path) => Find(path) is YamlSequenceNode list ? list.OfType<YamlMappingNode>().Select(static node => new Manifest(node)) : [];

    private YamlNode? Find(string path)
    {
        YamlNode? node = root;
        foreach (string step in path.Split('|'))
        {
            node = node switch
            {
                YamlMappingNode mapping => mapping.Children.FirstOrDefault(child => child.Key is YamlScalarNode { Value: { } key } && key == step).Value,
                YamlSequenceNode list when int.TryParse(step, out int index) => index < list.Children.Count ? list[index] : null,
                YamlSequenceNode list when step.Split('=', 2) is [var key, var value] => list.OfType<YamlMappingNode>().FirstOrDefault(element => new Manifest(element).Field(key) == value),
                _ => null,
            };
        }

        return node;
    }

    private static string Write(YamlNode node) => node switch
    {
        YamlScalarNode scalar => scalar.Value ?? "",
        YamlSequenceNode list => $"[{string.Join(", ", list.Select(Write))}]",
        YamlMappingNode mapping => $"{{{string.Join(", ", mapping.Select(static pair => $"{pair.Key}: {Write(pair.Value)}").Order(StringComparer.Ordinal))}}}",
        _ => node.ToString(),
    };
}
