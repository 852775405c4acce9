using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Sockets;

/// <summary>
/// A sockaddr_in or sockaddr_in6 by value: what the kernel reads and writes, and what a datagram's sender can be kept in without allocation.
/// <code>
/// sockaddr_in    family:2 port:2 address:4 zero:8
/// sockaddr_in6   family:2 port:2 flow:4 address:16 scope:4       (port in network order, family and scope in the machine's)
/// </code>
/// </summary>
public struct NativeAddress
{
    internal const int MaximumBytes = 28;

    private const int IPv4Bytes = 16;
    private const int PortOffset = 2;
    private const int IPv4AddressOffset = 4;
    private const int IPv6AddressOffset = 8;
    private const int ScopeOffset = 24;

    private Storage _storage;

    internal uint Length { get; set; }

    /// <summary>For a socket of the given family: an IPv4 address is mapped into IPv6 for an IPv6 socket.</summary>
    public static NativeAddress From(IPEndPoint endPoint, AddressFamily socketFamily)
    {
        ArgumentNullException.ThrowIfNull(endPoint);
        NativeAddress native = default;
        Span<byte> bytes = native._storage;
        BinaryPrimitives.WriteUInt16BigEndian(bytes[PortOffset..], (ushort)endPoint.Port);
        bool isIPv4 = endPoint.AddressFamily == AddressFamily.InterNetwork;
        if (isIPv4 && socketFamily == AddressFamily.InterNetwork)
        {
            Unsafe.WriteUnaligned(ref bytes[0], (ushort)Libc.AF_INET);
            endPoint.Address.TryWriteBytes(bytes[IPv4AddressOffset..], out _);
            native.Length = IPv4Bytes;
            return native;
        }

        Unsafe.WriteUnaligned(ref bytes[0], (ushort)Libc.AF_INET6);
        Span<byte> address = bytes[IPv6AddressOffset..];
        if (isIPv4)
        {
            address[10..12].Fill(0xFF);
            endPoint.Address.TryWriteBytes(address[12..], out _);
        }
        else
        {
            endPoint.Address.TryWriteBytes(address, out _);
            Unsafe.WriteUnaligned(ref bytes[ScopeOffset], (uint)endPoint.Address.ScopeId);
        }

        native.Length = MaximumBytes;
        return native;
    }

    /// <summary>Canonical: an IPv4-mapped address comes out as IPv4.</summary>
    public readonly IPEndPoint ToEndPoint()
    {
        ReadOnlySpan<byte> bytes = _storage;
        int port = BinaryPrimitives.ReadUInt16BigEndian(bytes[PortOffset..]);
        if (Unsafe.ReadUnaligned<ushort>(in bytes[0]) == Libc.AF_INET)
        {
            return new IPEndPoint(AddressCache.Get(bytes.Slice(IPv4AddressOffset, 4)), port);
        }

        ReadOnlySpan<byte> address = bytes.Slice(IPv6AddressOffset, 16);
        if (IsMapped(address))
        {
            return new IPEndPoint(AddressCache.Get(address[12..]), port);
        }

        return new IPEndPoint(AddressCache.Get(address, Unsafe.ReadUnaligned<uint>(in bytes[ScopeOffset])), port);
    }

    internal static unsafe Errno TryReadLocal(int descriptor, out NativeAddress address)
    {
        address = default;
        uint length = MaximumBytes;
        fixed (byte* bytes = address.Bytes)
        {
            Errno error = Libc.LocalName(descriptor, bytes, &length).Error;
            address.Length = length;
            return error;
        }
    }

    internal static unsafe Errno TryReadPeer(int descriptor, out NativeAddress address)
    {
        address = default;
        uint length = MaximumBytes;
        fixed (byte* bytes = address.Bytes)
        {
            Errno error = Libc.PeerName(descriptor, bytes, &length).Error;
            address.Length = length;
            return error;
        }
    }

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    internal Span<byte> Bytes => _storage;

    private static bool IsMapped(ReadOnlySpan<byte> address) => address[..10].IndexOfAnyExcept((byte)0) < 0 && address[10] == 0xFF && address[11] == 0xFF;

    [InlineArray(MaximumBytes)]
    private struct Storage
    {
        private byte _first;
    }
}
