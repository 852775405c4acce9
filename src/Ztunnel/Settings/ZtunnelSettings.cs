using System.Collections.Immutable;
using System.Text.Json;

namespace Ztunnel.Settings;

/// <summary>Everything the environment says, read once before anything is opened. A component gets its own part, not the whole.</summary>
public sealed record ZtunnelSettings
{
    public required ControlPlaneSettings ControlPlane { get; init; }

    public required NodeSettings Node { get; init; }

    public required ModeSettings Mode { get; init; }

    public required TuningSettings Tuning { get; init; }

    public required ObservabilitySettings Observability { get; init; }

    /// <summary>What the control plane is told about us (control-path 2.3).</summary>
    public required ImmutableSortedDictionary<string, string> ProxyMetadata { get; init; }

    /// <summary>ISTIO_METAJSON_*, told to the control plane as they are (control-path 3.3).</summary>
    public ImmutableSortedDictionary<string, JsonElement> JsonMetadata { get; init; } = ImmutableSortedDictionary.Create<string, JsonElement>(StringComparer.Ordinal);

    /// <summary>What was left out of the settings, for the log.</summary>
    public ImmutableArray<string> Warnings { get; init; } = [];

    /// <summary>The arguments of the command line, for the config dump.</summary>
    public string Arguments { get; init; } = "";

    /// <exception cref="SettingsException">One or more variables cannot be used; it carries all mistakes.</exception>
    public static ZtunnelSettings Read(SettingsSource source, string arguments = "")
    {
        var reader = new SettingReader(source);
        ProxyConfig config = ProxyConfig.Read(reader);
        ImmutableSortedDictionary<string, string> metadata = Settings.ProxyMetadata.Read(reader, config);
        ControlPlaneSettings controlPlane = ControlPlaneSettings.Read(reader, config);
        var settings = new ZtunnelSettings
        {
            ControlPlane = controlPlane,
            Node = NodeSettings.Read(reader),
            Mode = ModeSettings.Read(reader, metadata, controlPlane.OnDemand),
            Tuning = TuningSettings.Read(reader, config),
            Observability = ObservabilitySettings.Read(reader, config),
            ProxyMetadata = metadata,
            JsonMetadata = Settings.ProxyMetadata.ReadJson(reader),
            Arguments = arguments,
        };
        return reader.Mistakes.IsEmpty ? settings with { Warnings = reader.Warnings } : throw new SettingsException(reader.Mistakes);
    }
}
