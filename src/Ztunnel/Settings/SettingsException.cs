using System.Collections.Immutable;

namespace Ztunnel.Settings;

/// <summary>The settings cannot be used. Each mistake is one line for the operator, without secrets.</summary>
public sealed class SettingsException(ImmutableArray<string> mistakes) : Exception(string.Join('\n', mistakes))
{
    public ImmutableArray<string> Mistakes { get; } = mistakes;
}
