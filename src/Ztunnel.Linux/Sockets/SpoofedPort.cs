using System.Security.Cryptography;

namespace Ztunnel.Linux.Sockets;

/// <summary>
/// Which port a connection leaves from that bears a client's address. The client's own connections to the same application are in the same namespace's connection tracking, and were redirected to us:
/// a connection of ours from the address and port of a live one of them would be taken for it, be redirected as well, and the answer to its SYN would reset the client's connection.
/// </summary>
/// <remarks>
/// Linux gives connecting sockets even ports as long as there are some (<c>__inet_hash_connect</c> begins at the low end of ip_local_port_range, 32768, in steps of two), so ours are odd ones of that range.
/// Chosen at random and not asked for: what the kernel would answer to a port that is in use it answers to connect, too.
/// </remarks>
public static class SpoofedPort
{
    public const int Lowest = 32_769;
    public const int Highest = 60_999;

    /// <summary>An odd port between <see cref="Lowest"/> and <see cref="Highest"/>.</summary>
    public static int Choose() => Lowest + (2 * RandomNumberGenerator.GetInt32((Highest - Lowest) / 2 + 1));
}
