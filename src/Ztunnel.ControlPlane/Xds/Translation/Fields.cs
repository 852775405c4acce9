using System.Globalization;
using System.Net;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Ztunnel.Mesh.Model;
using Wire = Ztunnel.Protos.Workloads;

namespace Ztunnel.ControlPlane.Xds.Translation;

/// <summary>Parts that workloads and services share (control-path 4.2).</summary>
internal static class Fields
{
    private const int IPv4Bytes = 4;
    private const int IPv6Bytes = 16;

    public static IPAddress Address(ByteString bytes) => bytes.Length is IPv4Bytes or IPv6Bytes
        ? new IPAddress(bytes.Span)
        : throw new RejectedResourceException(string.Create(CultureInfo.InvariantCulture, $"failed to parse address, had {bytes.Length} bytes"));

    public static GatewayAddress? Gateway(Wire.GatewayAddress? gateway)
    {
        if (gateway is null) return null;

        ushort port = gateway.HboneMtlsPort == 0 ? GatewayAddress.DefaultHbonePort : Port(gateway.HboneMtlsPort);
        return gateway.DestinationCase switch
        {
            Wire.GatewayAddress.DestinationOneofCase.Hostname => new GatewayAddress(new NamespacedName(gateway.Hostname.Namespace, gateway.Hostname.Hostname), port),
            Wire.GatewayAddress.DestinationOneofCase.Address => new GatewayAddress(new NetworkAddress(gateway.Address.Network, Address(gateway.Address.Address)), port),
            _ => throw new RejectedResourceException("nonempty gateway address is missing address"),
        };
    }

    public static PortMap Ports(RepeatedField<Wire.Port> ports)
    {
        if (ports.Count == 0) return PortMap.Empty;

        (ushort, ushort)[] map = new (ushort, ushort)[ports.Count];
        for (int i = 0; i < map.Length; i++) map[i] = (Port(ports[i].ServicePort), Port(ports[i].TargetPort));
        return PortMap.Create(map);
    }

    public static ushort Port(uint port) => port <= ushort.MaxValue
        ? (ushort)port
        : throw new RejectedResourceException(string.Create(CultureInfo.InvariantCulture, $"port {port} is out of range"));

    public static RejectedResourceException UnknownEnum(string field, int value) =>
        new(string.Create(CultureInfo.InvariantCulture, $"unknown enum: {field} {value}"));
}
