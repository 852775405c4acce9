using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ztunnel.Mesh.Identity;

namespace Ztunnel.Proxy.Inbound;

/// <summary>
/// PROXY protocol version 2 (data-path 3.8), by which an application behind a tunnel learns who calls and what was dialled:
/// <code>
/// 0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A | 21 | family | length | source ip | destination ip | source port | destination port | TLVs
/// TLV: type (1) | length (2) | value       D0: SPIFFE identity of the client       D1: host name of the service that was dialled
/// </code>
/// Numbers are in network order. Addresses of different families are both written as IPv6, the IPv4 one mapped.
/// </summary>
internal static class ProxyHeader
{
    private const byte VersionAndCommand = 0x21;
    private const byte TcpOverIPv4 = 0x11;
    private const byte TcpOverIPv6 = 0x21;
    private const byte IdentityTlv = 0xD0;
    private const byte ServiceTlv = 0xD1;
    private const int FixedBytes = 16;

    private static ReadOnlySpan<byte> Signature => [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A];

    /// <param name="source">The client as seen by the tunnel.</param>
    /// <param name="destination">What the client dialled.</param>
    /// <param name="identity">Who the client proved to be; null leaves the TLV out.</param>
    /// <param name="service">The service that was dialled; null leaves the TLV out.</param>
    public static byte[] Build(IPEndPoint source, IPEndPoint destination, SpiffeId? identity, string? service)
    {
        bool isIPv4 = source.AddressFamily == AddressFamily.InterNetwork && destination.AddressFamily == AddressFamily.InterNetwork;
        int addressBytes = isIPv4 ? 4 : 16;
        int length = (2 * addressBytes) + 4;
        byte[] identityBytes = ValueThatFits(identity?.ToString(), ref length);
        byte[] serviceBytes = ValueThatFits(service, ref length);

        byte[] header = new byte[FixedBytes + length];
        Signature.CopyTo(header);
        header[12] = VersionAndCommand;
        header[13] = isIPv4 ? TcpOverIPv4 : TcpOverIPv6;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(14), (ushort)length);

        Span<byte> rest = header.AsSpan(FixedBytes);
        WriteAddress(ref rest, source.Address, isIPv4);
        WriteAddress(ref rest, destination.Address, isIPv4);
        WritePort(ref rest, source.Port);
        WritePort(ref rest, destination.Port);
        WriteTlv(ref rest, IdentityTlv, identityBytes);
        WriteTlv(ref rest, ServiceTlv, serviceBytes);
        return header;
    }

    /// <summary>The bytes of a TLV's value, and its share of the length. What would exceed the 16 bits of the length is left out: else the length would wrap, and the rest, which the client chose, would pass for data.</summary>
    private static byte[] ValueThatFits(string? text, ref int length)
    {
        if (string.IsNullOrEmpty(text) || length + 3 + text.Length > ushort.MaxValue)
            return [];

        length += 3 + text.Length;
        return Encoding.ASCII.GetBytes(text);
    }

    private static void WriteAddress(ref Span<byte> rest, IPAddress address, bool isIPv4)
    {
        IPAddress written = isIPv4 || address.AddressFamily == AddressFamily.InterNetworkV6 ? address : address.MapToIPv6();
        written.TryWriteBytes(rest, out int bytes);
        rest = rest[bytes..];
    }

    private static void WritePort(ref Span<byte> rest, int port)
    {
        BinaryPrimitives.WriteUInt16BigEndian(rest, (ushort)port);
        rest = rest[2..];
    }

    private static void WriteTlv(ref Span<byte> rest, byte type, byte[] value)
    {
        if (value.Length == 0)
            return;

        rest[0] = type;
        BinaryPrimitives.WriteUInt16BigEndian(rest[1..], (ushort)value.Length);
        value.CopyTo(rest[3..]);
        rest = rest[(3 + value.Length)..];
    }
}
