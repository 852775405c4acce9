using System.Collections.Immutable;
using System.Text;
using YamlDotNet.Core;
using Ztunnel.ControlPlane.LocalFile.Yaml;
using Ztunnel.Mesh.Model;

namespace Ztunnel.ControlPlane.LocalFile;

/// <summary>Reads the local resource file (control-path 2.5) and finds all its mistakes in one pass.</summary>
public sealed class LocalFileReader
{
    private readonly ProblemList _problems = new();
    private readonly YamlTreeReader _yaml;
    private readonly Dictionary<WorkloadTraits, WorkloadTraits> _traits = [];
    private readonly ImmutableArray<Workload>.Builder _workloads = ImmutableArray.CreateBuilder<Workload>();
    private readonly ImmutableArray<Service>.Builder _services = ImmutableArray.CreateBuilder<Service>();
    private readonly ImmutableArray<Policy>.Builder _policies = ImmutableArray.CreateBuilder<Policy>();

    private LocalFileReader(TextReader text) => _yaml = new YamlTreeReader(text, _problems);

    /// <param name="text">The content.</param>
    /// <param name="source">What messages call it: the path, or the name of the setting.</param>
    /// <exception cref="LocalFileException">There are mistakes.</exception>
    public static LocalMesh Read(TextReader text, string source)
    {
        LocalFileReader reader = new(text);
        try
        {
            reader.ReadDocument();
        }
        catch (YamlException error)
        {
            // Nothing after this can be understood.
            reader._problems.Add(new YamlPosition((int)error.Start.Line, (int)error.Start.Column), FieldPath.Root, $"not YAML: {error.Message}");
        }
        catch (DecoderFallbackException)
        {
            reader._problems.Add(default, FieldPath.Root, "not UTF-8 text");
        }
        if (!reader._problems.IsEmpty) throw new LocalFileException(source, reader._problems.ToList());
        return new LocalMesh(reader._workloads.DrainToImmutable(), reader._services.DrainToImmutable(), reader._policies.DrainToImmutable());
    }

    private void ReadDocument()
    {
        // An empty file is more likely one that is just being written than a wish for an empty mesh.
        if (!_yaml.OpenDocument())
        {
            _problems.Add(default, FieldPath.Root, "the file is empty; an empty mesh is written {}");
            return;
        }
        if (!_yaml.AtMapping)
        {
            YamlNode root = _yaml.Read(FieldPath.Root);
            Values.Expected("a map with workloads, services and policies", root, FieldPath.Root, _problems);
        }
        else
        {
            _yaml.Step();
            HashSet<string> seen = [];
            while (!_yaml.AtEnd) ReadList(_yaml.ReadKey(FieldPath.Root, seen));
            _yaml.Step();
        }
        _yaml.CloseDocument();
    }

    private void ReadList(YamlScalar? key)
    {
        FieldPath path = key is null ? FieldPath.Root : FieldPath.Root.Key(key.Text);
        switch (key?.Text)
        {
            case "workloads":
                ReadItems(path, ReadWorkload, _workloads, static workload => workload.Uid);
                break;
            case "services":
                ReadItems(path, ServiceItem.Read, _services, static service => service.Key.ToString());
                break;
            case "policies":
                ReadItems(path, PolicyItem.Read, _policies, static policy => policy.Key);
                break;
            default:
                if (key is not null) _problems.Add(key.Position, path, "an unknown key; known are workloads, services, policies");
                _yaml.Read(path);
                break;
        }
    }

    // What instances of one application have in common is kept once: all that is read lives until the file is, and longer, and the collector moves what lives.
    private Workload? ReadWorkload(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (WorkloadItem.Read(node, path, problems) is not { } workload) return null;
        if (_traits.TryGetValue(workload.Traits, out WorkloadTraits? shared)) return workload with { Traits = shared };

        _traits.Add(workload.Traits, workload.Traits);
        return workload;
    }

    private void ReadItems<T>(FieldPath path, Func<YamlNode, FieldPath, ProblemList, T?> read, ImmutableArray<T>.Builder items, Func<T, string> keyOf)
        where T : class
    {
        if (!_yaml.AtSequence)
        {
            Values.Expected("a list", _yaml.Read(path), path, _problems);
            return;
        }
        _yaml.Step();
        Dictionary<string, YamlPosition> places = [];
        for (int index = 0; !_yaml.AtEnd; index++)
        {
            FieldPath at = path.Index(index);
            YamlNode node = _yaml.Read(at);
            if (read(node, at, _problems) is not { } item) continue;
            if (!places.TryAdd(keyOf(item), node.Position)) _problems.Add(node.Position, at, $"'{keyOf(item)}' is in the file already, at line {places[keyOf(item)].Line}");
            items.Add(item);
        }
        _yaml.Step();
    }
}
