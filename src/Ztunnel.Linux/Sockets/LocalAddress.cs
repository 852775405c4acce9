using System.Runtime.CompilerServices;
using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Sockets;

/// <summary>
/// The address of ours that a datagram was sent to, so that the answer can leave from it: a socket bound to all addresses would else answer from the one that routing prefers, and whoever asked would not take it.
/// The default value leaves the choice to the kernel. As the kernel tells and takes it:
/// <code>
/// in_pktinfo     interface:4 local address:4 destination:4
/// in6_pktinfo    address:16 interface:4                           (an IPv4 address is mapped into IPv6 on an IPv6 socket)
/// </code>
/// </summary>
public struct LocalAddress
{
    /// <summary>Room for one of both behind its header.</summary>
    internal const int ControlBytes = 64;

    private const int IPv4Bytes = 12;
    private const int IPv6Bytes = 20;
    private const int IPv4LocalOffset = 4;
    private const int IPv6InterfaceOffset = 16;

    private Storage _storage;
    private byte _length;

    /// <summary>Whether the kernel told one.</summary>
    public readonly bool IsKnown => _length > 0;

    internal static unsafe LocalAddress Read(in MessageHeader message)
    {
        LocalAddress local = default;
        nuint header = (nuint)sizeof(ControlHeader);
        for (nuint offset = 0; offset + header <= message.ControlLength;)
        {
            var control = (ControlHeader*)(message.Control + offset);
            if (control->Length < header || control->Length > message.ControlLength - offset)
            {
                break;
            }

            int expected = (control->Level, control->Type) switch
            {
                (Libc.SOL_IP, Libc.IP_PKTINFO) => IPv4Bytes,
                (Libc.SOL_IPV6, Libc.IPV6_PKTINFO) => IPv6Bytes,
                _ => 0,
            };
            if (expected > 0 && control->Length >= header + (nuint)expected)
            {
                new ReadOnlySpan<byte>(message.Control + offset + header, expected).CopyTo(local._storage);
                local._length = (byte)expected;
                return local;
            }

            offset += ControlMessages.Align(control->Length);
        }

        return local;
    }

    /// <summary>How many bytes of <paramref name="control"/> say that a datagram leaves from here.</summary>
    internal readonly unsafe int Write(byte* control)
    {
        bool isIPv4 = _length == IPv4Bytes;
        int length = sizeof(ControlHeader) + _length;
        *(ControlHeader*)control = new ControlHeader { Length = (nuint)length, Level = isIPv4 ? Libc.SOL_IP : Libc.SOL_IPV6, Type = isIPv4 ? Libc.IP_PKTINFO : Libc.IPV6_PKTINFO };
        var value = new Span<byte>(control + sizeof(ControlHeader), _length);
        ReadOnlySpan<byte> told = _storage;
        told[.._length].CopyTo(value);
        if (isIPv4)
        {
            value[..IPv4LocalOffset].Clear(); // routing chooses the way out, which need not be the way in
        }
        else if (!IsLinkLocal(value))
        {
            value[IPv6InterfaceOffset..].Clear();
        }

        return (int)ControlMessages.Align((nuint)length);
    }

    private static bool IsLinkLocal(ReadOnlySpan<byte> address) => address[0] == 0xFE && (address[1] & 0xC0) == 0x80;

    [InlineArray(IPv6Bytes)]
    private struct Storage
    {
        private byte _first;
    }
}
