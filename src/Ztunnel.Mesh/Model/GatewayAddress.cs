using System.Globalization;
using System.Net;

namespace Ztunnel.Mesh.Model;

/// <summary>Where a waypoint or network gateway is: exactly one of an address and a namespaced hostname, and the port that speaks HBONE.</summary>
public sealed record GatewayAddress
{
    public const ushort DefaultHbonePort = 15008;

    public GatewayAddress(NetworkAddress address, ushort hboneMtlsPort = DefaultHbonePort)
    {
        Address = address;
        HboneMtlsPort = hboneMtlsPort;
    }

    public GatewayAddress(NamespacedName hostname, ushort hboneMtlsPort = DefaultHbonePort)
    {
        Hostname = hostname;
        HboneMtlsPort = hboneMtlsPort;
    }

    public NetworkAddress? Address { get; internal init; }

    public NamespacedName? Hostname { get; internal init; }

    public ushort HboneMtlsPort { get; }

    /// <summary><c>network/ip</c> or <c>namespace/hostname</c>.</summary>
    public string Destination => Address?.ToString() ?? Hostname!.ToString();

    /// <summary>Reads the destination of the local file: <c>network/ip</c> or <c>namespace/hostname</c>.</summary>
    public static GatewayAddress? TryParse(string destination, ushort hboneMtlsPort)
    {
        if (NetworkAddress.TryParse(destination, out NetworkAddress? address)) return new GatewayAddress(address, hboneMtlsPort);
        return NamespacedName.TryParse(destination, out NamespacedName? hostname) ? new GatewayAddress(hostname, hboneMtlsPort) : null;
    }

    /// <summary>As error texts name it.</summary>
    public override string ToString() => Address is null
        ? Hostname!.Name
        : string.Create(CultureInfo.InvariantCulture, $"{Address.Network}/{new IPEndPoint(Address.Address, HboneMtlsPort)}");
}

/// <summary>One of several waypoints of a service; chosen with probability weight over sum.</summary>
public sealed record WeightedWaypoint(GatewayAddress Destination, uint Weight);
