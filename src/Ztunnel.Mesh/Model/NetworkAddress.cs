using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace Ztunnel.Mesh.Model;

/// <summary>An address in one of the mesh's networks, written <c>network/ip</c>; the default network's name is empty.</summary>
public sealed class NetworkAddress(string network, IPAddress address) : IEquatable<NetworkAddress>
{
    public string Network { get; } = network;

    public IPAddress Address { get; } = Canonical.Address(address);

    /// <summary>Splits at the last slash, so that a network's name may hold one.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out NetworkAddress? address)
    {
        int slash = text.LastIndexOf('/');
        address = slash >= 0 && IPAddress.TryParse(text.AsSpan(slash + 1), out IPAddress? ip) ? new NetworkAddress(text[..slash], ip) : null;
        return address is not null;
    }

    public bool Equals(NetworkAddress? other) => other is not null && Network == other.Network && Address.Equals(other.Address);

    public override bool Equals(object? obj) => Equals(obj as NetworkAddress);

    public override int GetHashCode() => HashCode.Combine(Network, Address);

    public override string ToString() => $"{Network}/{Address}";
}
