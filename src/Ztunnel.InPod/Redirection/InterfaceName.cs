using System.Buffers;

namespace Ztunnel.InPod.Redirection;

/// <summary>Names of network interfaces as they may stand in a rule: narrower than the kernel's, so that no name can end a rule and start another, or be a wildcard.</summary>
internal static class InterfaceName
{
    public const string Expected = "1 to 15 letters, digits, '.', '_', '-', '@' or ':', not beginning with '-'";

    // IFNAMSIZ less its terminating zero.
    private const int MaxLength = 15;

    private static readonly SearchValues<char> Letters = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@:");

    public static bool IsValid(string name) =>
        name.Length is > 0 and <= MaxLength && name[0] != '-' && !name.AsSpan().ContainsAnyExcept(Letters);
}
