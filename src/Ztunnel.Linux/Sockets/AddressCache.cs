using System.Net;

namespace Ztunnel.Linux.Sockets;

/// <summary>
/// The addresses a thread has met lately: connections of a pod have its own address on one side and few on the other, and each keeps both. An address that is shared costs nothing more, its text included
/// (40 and 48 bytes). What is not found is made and takes the place of another.
/// </summary>
internal static class AddressCache
{
    private const int Entries = 256;

    [ThreadStatic]
    private static IPAddress?[]? OfThread;

    /// <param name="bytes">4 or 16, in network order.</param>
    /// <param name="scope">Of an IPv6 address, else 0.</param>
    public static IPAddress Get(ReadOnlySpan<byte> bytes, uint scope = 0)
    {
        IPAddress?[] entries = OfThread ??= new IPAddress?[Entries];
        var hash = new HashCode();
        hash.AddBytes(bytes);
        ref IPAddress? entry = ref entries[(hash.ToHashCode() ^ (int)scope) & (Entries - 1)];
        if (entry is { } known && IsSame(known, bytes, scope))
            return known;

        return entry = bytes.Length == 4 ? new IPAddress(bytes) : new IPAddress(bytes, scope);
    }

    private static bool IsSame(IPAddress known, ReadOnlySpan<byte> bytes, uint scope)
    {
        Span<byte> own = stackalloc byte[16];
        return known.TryWriteBytes(own, out int length) && own[..length].SequenceEqual(bytes) && (length == 4 || known.ScopeId == scope);
    }
}
