using System.Collections.Immutable;
using System.Text.Json;

namespace Ztunnel.Settings;

/// <summary>The metadata that the control plane is told, some of which steers this program (control-path 2.3).</summary>
public static class ProxyMetadata
{
    private const string Prefix = "ISTIO_META_";
    private const string JsonPrefix = "ISTIO_METAJSON_";

    /// <summary>From the proxy config, its keys without the prefix; every variable with the prefix wins over it.</summary>
    public static ImmutableSortedDictionary<string, string> Read(SettingReader reader, ProxyConfig config)
    {
        ImmutableSortedDictionary<string, string>.Builder metadata = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach ((string key, string value) in config.Metadata)
            metadata[key.StartsWith(Prefix, StringComparison.Ordinal) ? key[Prefix.Length..] : key] = value;
        foreach ((string key, string value) in reader.Source.WithPrefix(Prefix))
            metadata[key] = value;
        return metadata.ToImmutable();
    }

    /// <summary>ISTIO_METAJSON_*: values of any JSON type. One that cannot be read is told in a warning and left out.</summary>
    public static ImmutableSortedDictionary<string, JsonElement> ReadJson(SettingReader reader)
    {
        ImmutableSortedDictionary<string, JsonElement>.Builder metadata = ImmutableSortedDictionary.CreateBuilder<string, JsonElement>(StringComparer.Ordinal);
        foreach ((string key, string value) in reader.Source.WithPrefix(JsonPrefix))
        {
            try
            {
                using JsonDocument document = JsonDocument.Parse(value);
                metadata[key] = document.RootElement.Clone();
            }
            catch (JsonException mistake)
            {
                reader.Warn($"{JsonPrefix}{key} is left out: not JSON ({mistake.Message})");
            }
        }

        return metadata.ToImmutable();
    }
}
