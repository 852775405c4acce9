using System.Collections.Immutable;
using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Ztunnel.Settings;

/// <summary>
/// What the mesh config file (its key <c>defaultConfig</c>) and the variable <c>PROXY_CONFIG</c> may say (control-path 2.3). Unknown keys are ignored, and nothing is required.
/// </summary>
public sealed record ProxyConfig
{
    /// <summary>Where the file is looked for, relative to the working directory.</summary>
    public const string MeshConfigPath = "./etc/istio/config/mesh";

    public string? DiscoveryAddress { get; init; }

    public ushort? AdminPort { get; init; }

    public ushort? StatsPort { get; init; }

    /// <summary>Worker threads; 0 means all processors.</summary>
    public ushort? Concurrency { get; init; }

    public ImmutableSortedDictionary<string, string> Metadata { get; init; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>The file first, the variable over it: scalar by scalar, metadata merged.</summary>
    public static ProxyConfig Read(SettingReader reader)
    {
        var config = new ProxyConfig();
        if (reader.Source.ReadFile(MeshConfigPath) is { } file)
            config = config.With(file, "defaultConfig", $"failed parsing mesh config file {MeshConfigPath}", reader);
        if (reader.NonEmptyText("PROXY_CONFIG") is { } text)
            config = config.With(text, null, "failed parsing proxy config env", reader);
        return config;
    }

    private ProxyConfig With(string yaml, string? key, string context, SettingReader reader)
    {
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(yaml));
            YamlNode? root = stream.Documents.Count == 0 ? null : stream.Documents[0].RootNode;
            if (root is not null && key is not null)
                root = Mapping(root, key).Children.FirstOrDefault(child => child.Key is YamlScalarNode { Value: { } name } && name == key).Value;
            return root is null or YamlScalarNode { Value: null or "" or "null" } ? this : With(Mapping(root, key ?? "the value"));
        }
        catch (YamlException mistake)
        {
            string reason = mistake.InnerException?.Message ?? mistake.Message;
            reader.Mistake($"error parsing proxy config: {context}: {reason} at line {mistake.Start.Line} column {mistake.Start.Column}");
            return this;
        }
        catch (Exception broken) when (broken is ArgumentException or InvalidOperationException)
        {
            // Some malformed texts end the library not with its own exception but with whatever went wrong inside.
            reader.Mistake($"error parsing proxy config: {context}: not YAML ({broken.Message})");
            return this;
        }
    }

    private ProxyConfig With(YamlMappingNode values)
    {
        ProxyConfig config = this;
        foreach ((YamlNode name, YamlNode value) in values)
        {
            config = (name as YamlScalarNode)?.Value switch
            {
                "discoveryAddress" => config with { DiscoveryAddress = Scalar(value, "discoveryAddress") },
                "proxyAdminPort" => config with { AdminPort = Port(value, "proxyAdminPort") },
                "statsPort" => config with { StatsPort = Port(value, "statsPort") },
                "concurrency" => config with { Concurrency = Port(value, "concurrency") },
                "proxyMetadata" => config with { Metadata = config.Metadata.SetItems(ReadMetadata(value)) },
                _ => config,
            };
        }

        return config;
    }

    private static IEnumerable<KeyValuePair<string, string>> ReadMetadata(YamlNode node)
    {
        foreach ((YamlNode name, YamlNode value) in Mapping(node, "proxyMetadata"))
            yield return new(Scalar(name, "proxyMetadata"), Scalar(value, $"proxyMetadata.{name}"));
    }

    private static ushort Port(YamlNode node, string name) =>
        ushort.TryParse(Scalar(node, name), NumberStyles.None, CultureInfo.InvariantCulture, out ushort number)
            ? number
            : throw new YamlException(node.Start, node.End, $"{name}: '{node}' is not a whole number from 0 to 65535");

    private static string Scalar(YamlNode node, string name) =>
        (node as YamlScalarNode)?.Value ?? throw new YamlException(node.Start, node.End, $"{name}: expected a single value");

    private static YamlMappingNode Mapping(YamlNode node, string name) =>
        node as YamlMappingNode ?? throw new YamlException(node.Start, node.End, $"{name}: expected keys with values");
}
