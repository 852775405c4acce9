using Ztunnel.Settings;

namespace Ztunnel.Tests.Settings;

/// <summary>An environment for one test.</summary>
internal static class TestSource
{
    public static SettingsSource Of(params (string Name, string Value)[] variables) => With(null, variables);

    public static SettingsSource With(string? meshConfig, params (string Name, string Value)[] variables)
    {
        Dictionary<string, string> values = variables.ToDictionary(static variable => variable.Name, static variable => variable.Value);
        return new SettingsSource
        {
            Lookup = name => values.GetValueOrDefault(name),
            Names = values.Keys,
            ReadFile = path => path == ProxyConfig.MeshConfigPath ? meshConfig : null,
            ProcessorCount = 8,
        };
    }

    public static ZtunnelSettings Read(params (string Name, string Value)[] variables) => ZtunnelSettings.Read(Of(variables));

    /// <summary>The lines an operator would see.</summary>
    public static string[] Mistakes(params (string Name, string Value)[] variables) => [.. Assert.Throws<SettingsException>(() => Read(variables)).Mistakes];
}
