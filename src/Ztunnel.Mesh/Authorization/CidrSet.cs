using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Authorization;

/// <summary>Prefixes to test an address against: a few are compared one by one, many by one hash look-up for each prefix length.</summary>
internal sealed class CidrSet
{
    private const int FewPrefixes = 8;   // about what one hash look-up costs

    private readonly Cidr[] _few = [];
    private readonly (bool IsIPv6, int Length, HashSet<UInt128> Prefixes)[] _many = [];

    public CidrSet(ReadOnlySpan<Cidr> prefixes)
    {
        if (prefixes.Length <= FewPrefixes)
        {
            _few = prefixes.ToArray();
            return;
        }
        _many = [.. prefixes.ToArray()
            .GroupBy(static prefix => (prefix.IsIPv6, prefix.PrefixLength))
            .Select(static group => (group.Key.IsIPv6, group.Key.PrefixLength, group.Select(static prefix => prefix.Network.Bits).ToHashSet()))];
    }

    public static CidrSet? Create(ValueArray<Cidr> prefixes) => prefixes.IsEmpty ? null : new CidrSet(prefixes.AsSpan());

    public bool Contains(in IpBits address)
    {
        foreach (Cidr prefix in _few)
        {
            if (prefix.Contains(address)) return true;
        }
        foreach ((bool isIPv6, int length, HashSet<UInt128> prefixes) in _many)
        {
            if (isIPv6 == address.IsIPv6 && prefixes.Contains(address.Masked(length).Bits)) return true;
        }
        return false;
    }
}
