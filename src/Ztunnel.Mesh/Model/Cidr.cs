using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Ztunnel.Mesh.Model;

/// <summary>An address prefix. Host bits are kept for the text and ignored by the comparison; IPv4 prefixes hold no IPv6 address nor the reverse.</summary>
/// <remarks>An IPv4-mapped prefix of 96 bits and more becomes an IPv4 one (control-path W-20), since every address it is compared with is canonical.</remarks>
public sealed class Cidr : IEquatable<Cidr>
{
    private readonly IpBits _address;
    private readonly UInt128 _mask;

    private Cidr(IpBits address, int prefixLength)
    {
        _address = address;
        _mask = IpBits.Mask(prefixLength);
        PrefixLength = prefixLength;
    }

    public int PrefixLength { get; }

    public bool IsIPv6 => _address.IsIPv6;

    public IPAddress Address => _address.ToAddress();

    internal IpBits Network => _address.Masked(PrefixLength);

    /// <returns>Null when the prefix is longer than the address.</returns>
    public static Cidr? Create(IPAddress address, long prefixLength)
    {
        int width = address.AddressFamily == AddressFamily.InterNetworkV6 ? 128 : 32;
        if (prefixLength < 0 || prefixLength > width) return null;

        return address.IsIPv4MappedToIPv6 && prefixLength >= 96
            ? new Cidr(IpBits.From(address.MapToIPv4()), (int)prefixLength - 96)
            : new Cidr(IpBits.From(address), (int)prefixLength);
    }

    /// <summary>Reads <c>ip/length</c>, or an address alone as a prefix of full length.</summary>
    public static bool TryParse(string text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Cidr? cidr)
    {
        cidr = null;
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (!IPAddress.TryParse(slash < 0 ? text : text[..slash], out IPAddress? address)) return false;

        int length = address.AddressFamily == AddressFamily.InterNetworkV6 ? 128 : 32;
        if (slash >= 0 && !int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out length)) return false;

        cidr = Create(address, length);
        return cidr is not null;
    }

    public bool Contains(IPAddress address) => Contains(IpBits.From(address));

    internal bool Contains(in IpBits address) => address.IsIPv6 == _address.IsIPv6 && ((address.Bits ^ _address.Bits) & _mask) == 0;

    public bool Equals(Cidr? other) => other is not null && PrefixLength == other.PrefixLength && _address == other._address;

    public override bool Equals(object? obj) => Equals(obj as Cidr);

    public override int GetHashCode() => HashCode.Combine(_address, PrefixLength);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Address}/{PrefixLength}");
}

/// <summary>A prefix in one of the mesh's networks.</summary>
public sealed record NetworkCidr(string Network, Cidr Cidr);
