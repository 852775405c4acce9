using System.ComponentModel;
using System.Globalization;
using System.Text.RegularExpressions;
using Ztunnel.Testing.Processes;

namespace Ztunnel.Tests.Deploy;

/// <summary>A test that renders kustomizations: needs a kubectl that knows components, is skipped with the reason elsewhere (Debian 12's own is too old).</summary>
public sealed class KustomizeFactAttribute : FactAttribute
{
    public KustomizeFactAttribute() => Skip = Kustomize.MissingReason;
}

/// <summary>The same for a theory.</summary>
public sealed class KustomizeTheoryAttribute : TheoryAttribute
{
    public KustomizeTheoryAttribute() => Skip = Kustomize.MissingReason;
}

internal static partial class Kustomize
{
    private const int FirstMinor = 27;

    /// <summary>Null where it can be used.</summary>
    public static string? MissingReason { get; } = FindReason();

    private static string? FindReason()
    {
        try
        {
            string version = TestCommand.Run("kubectl", "version", "--client").Output;
            Match match = Version().Match(version);
            return match.Success && int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) >= FirstMinor
                ? null
                : $"needs kubectl 1.{FirstMinor} or later to render kustomizations, found {(match.Success ? match.Value : version.Trim())}";
        }
        catch (Win32Exception)
        {
            return $"needs kubectl 1.{FirstMinor} or later to render kustomizations, found none";
        }
    }

    [GeneratedRegex(@"v1\.(\d+)")]
    private static partial Regex Version();
}
