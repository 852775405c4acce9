using System.Globalization;

namespace Ztunnel.Linux.Process;

/// <summary>What the kernel lets this process do (capabilities(7)), by the names that manifests use.</summary>
public static class ProcessCapabilities
{
    private static readonly (int Bit, string Name)[] Known = [(12, "NET_ADMIN"), (13, "NET_RAW"), (21, "SYS_ADMIN")];

    /// <summary>Those of NET_ADMIN, NET_RAW and SYS_ADMIN that are not effective in a text like that of /proc/self/status.</summary>
    public static IReadOnlyList<string> FindMissing(string status)
    {
        const string Field = "CapEff:";
        string? line = status.Split('\n').FirstOrDefault(static line => line.StartsWith(Field, StringComparison.Ordinal));
        ulong effective = line is not null && ulong.TryParse(line.AsSpan(Field.Length).Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong bits) ? bits : 0;
        return [.. Known.Where(capability => (effective & (1UL << capability.Bit)) == 0).Select(static capability => capability.Name)];
    }
}
