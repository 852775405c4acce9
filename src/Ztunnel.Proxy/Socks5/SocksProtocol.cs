using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Text;

namespace Ztunnel.Proxy.Socks5;

/// <summary>What the client is told (RFC 1928, 6).</summary>
internal enum SocksStatus : byte
{
    Succeeded = 0,
    Failed = 1,
    NotAllowed = 2,
    NetworkUnreachable = 3,
    HostUnreachable = 4,
    ConnectionRefused = 5,
    NotSupported = 7,
}

/// <summary>Where a client wants to go: an address, or a name that has to be resolved.</summary>
internal readonly record struct SocksTarget(IPAddress? Address, string? Hostname, ushort Port)
{
    public override string ToString() => Address is null ? string.Create(CultureInfo.InvariantCulture, $"{Hostname}:{Port}") : new IPEndPoint(Address, Port).ToString();
}

/// <summary>
/// The messages of SOCKS version 5 (RFC 1928), as far as a CONNECT without authentication needs them:
/// <code>
/// greeting   05 | number of methods | methods…              answered 05 00
/// request    05 | 01 (CONNECT) | 00 | kind | address | port       kind 01: 4 bytes   03: length, name   04: 16 bytes
/// reply      05 | status | 00 | 01 | 00 00 00 00 | 00 00
/// </code>
/// </summary>
internal static class SocksProtocol
{
    public const int ReplyBytes = 10;

    /// <summary>Version and number of methods; those follow.</summary>
    public const int GreetingBytes = 2;

    /// <summary>Up to the kind of the address and its first byte, which of a name is the length.</summary>
    public const int RequestBytes = 5;

    /// <summary>The longest part that is read at once: a name and its port.</summary>
    public const int LongestPartBytes = 255 + PortBytes;

    private const byte Version = 5;
    private const byte Connect = 1;
    private const byte IPv4 = 1;
    private const byte Name = 3;
    private const byte IPv6 = 4;
    private const int PortBytes = 2;

    /// <summary>No authentication, as the answer to a greeting.</summary>
    public static ReadOnlySpan<byte> MethodChosen => [Version, 0];

    /// <returns>What is wrong, or null.</returns>
    public static string? ReadGreeting(ReadOnlySpan<byte> greeting, out int methods)
    {
        methods = greeting[1];
        return greeting[0] != Version ? $"unsupported version {greeting[0]}" : methods == 0 ? "no authentication methods" : null;
    }

    /// <returns>What is wrong, or null.</returns>
    public static string? ReadMethods(ReadOnlySpan<byte> methods) => methods.Contains((byte)0) ? null : "only clients without authentication are served";

    /// <param name="request">The first <see cref="RequestBytes"/> bytes.</param>
    /// <param name="rest">How many bytes follow: the rest of the address, and the port.</param>
    /// <returns>What is wrong, or null.</returns>
    public static string? ReadRequest(ReadOnlySpan<byte> request, out int rest)
    {
        rest = request[3] switch
        {
            IPv4 => 4 - 1 + PortBytes,
            IPv6 => 16 - 1 + PortBytes,
            Name => request[4] + PortBytes,
            _ => 0,
        };
        if (request[0] != Version)
            return $"unsupported version {request[0]}";
        if (request[1] != Connect)
            return $"unsupported command {request[1]}";
        if (rest == 0)
            return $"unsupported address type {request[3]}";
        return request[3] == Name && request[4] == 0 ? "empty host name" : null;
    }

    /// <param name="request">As in <see cref="ReadRequest"/>, which found nothing wrong.</param>
    /// <param name="rest">The bytes behind it.</param>
    /// <param name="target">Where to go.</param>
    /// <returns>What is wrong, or null.</returns>
    public static string? ReadTarget(ReadOnlySpan<byte> request, ReadOnlySpan<byte> rest, out SocksTarget target)
    {
        ushort port = BinaryPrimitives.ReadUInt16BigEndian(rest[^PortBytes..]);
        rest = rest[..^PortBytes];
        if (request[3] == Name)
        {
            // Control characters would end up in logs; names beyond ASCII come in their encoded form.
            target = new SocksTarget(null, Encoding.ASCII.GetString(rest), port);
            return rest.ContainsAnyExceptInRange((byte)'!', (byte)'~') ? "host name with other than visible characters" : null;
        }

        Span<byte> address = stackalloc byte[rest.Length + 1];
        address[0] = request[4];
        rest.CopyTo(address[1..]);
        target = new SocksTarget(Mesh.Model.Canonical.Address(new IPAddress(address)), null, port);
        return null;
    }

    /// <summary>The bound address is never told: it means nothing to the client.</summary>
    public static void WriteReply(Span<byte> reply, SocksStatus status)
    {
        reply[..ReplyBytes].Clear();
        reply[0] = Version;
        reply[1] = (byte)status;
        reply[3] = IPv4;
    }
}
