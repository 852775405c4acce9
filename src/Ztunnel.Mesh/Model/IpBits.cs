using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Ztunnel.Mesh.Model;

/// <summary>An address as a number, for prefix comparisons. IPv4 sits in the upper 32 bits, so that a prefix masks the same way in both families.</summary>
internal readonly record struct IpBits(UInt128 Bits, bool IsIPv6)
{
    public int Width => IsIPv6 ? 128 : 32;

    public static IpBits From(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        address.TryWriteBytes(bytes, out _);
        return new IpBits(BinaryPrimitives.ReadUInt128BigEndian(bytes), address.AddressFamily == AddressFamily.InterNetworkV6);
    }

    public IpBits Masked(int prefixLength) => this with { Bits = Bits & Mask(prefixLength) };

    public static UInt128 Mask(int prefixLength) => prefixLength == 0 ? 0 : UInt128.MaxValue << (128 - prefixLength);

    public IPAddress ToAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, Bits);
        return new IPAddress(IsIPv6 ? bytes : bytes[..4]);
    }
}
