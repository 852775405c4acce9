using System.Collections.Immutable;

namespace Ztunnel.Settings;

/// <summary>The metadata that the control plane is told, some of which steers this program (control-path 2.3).</summary>
public static class ProxyMetadata
{
    private const string Prefix = "ISTIO_META_";

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
}
