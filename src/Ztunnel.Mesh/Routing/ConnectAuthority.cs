using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Routing;

/// <summary>The :authority of a CONNECT: an address with a port, or a hostname with a port (data-path 3.2).</summary>
public sealed class ConnectAuthority
{
    private static readonly SearchValues<char> HostCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=%[]:");

    // Host names have 253 characters; the text is kept with its connection and logged, so what a peer may stretch (leading zeros, user information) is bounded.
    private const int MaxCharacters = 1024;

    private ConnectAuthority(string text, IPEndPoint? address, string? hostname, ushort port)
    {
        Text = text;
        Address = address;
        Hostname = hostname;
        Port = port;
    }

    /// <summary>As received, for the log.</summary>
    public string Text { get; }

    /// <summary>Canonical; null for a hostname.</summary>
    public IPEndPoint? Address { get; }

    /// <summary>Compared byte by byte: neither case nor a trailing dot is evened out.</summary>
    public string? Hostname { get; }

    public ushort Port { get; }

    /// <summary>
    /// <c>a.b.c.d:port</c> and <c>[v6]:port</c> are addresses. Of anything else what stands before the last @ is dropped, and the rest must be a host and a port from 0
    /// to 65535; it is a hostname even if it looks like an address.
    /// </summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ConnectAuthority? authority)
    {
        authority = null;
        if (string.IsNullOrEmpty(text) || text.Length > MaxCharacters) return false;

        ReadOnlySpan<char> rest = text.AsSpan(text.LastIndexOf('@') + 1);
        int colon = rest.LastIndexOf(':');
        if (colon <= 0 || !TryParsePort(rest[(colon + 1)..], out ushort port)) return false;

        ReadOnlySpan<char> host = rest[..colon];
        if (rest.Length == text.Length && TryParseAddress(host, out IPAddress? address))
        {
            authority = new ConnectAuthority(text, new IPEndPoint(Canonical.Address(address), port), hostname: null, port);
            return true;
        }
        // Only brackets may hold a colon; without them it would be unclear where the port begins.
        if (host.ContainsAnyExcept(HostCharacters) || (host.Contains(':') && !(host[0] == '[' && host[^1] == ']'))) return false;

        authority = new ConnectAuthority(text, address: null, host.ToString(), port);
        return true;
    }

    public override string ToString() => Text;

    private static bool TryParsePort(ReadOnlySpan<char> text, out ushort port) => ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port);

    private static bool TryParseAddress(ReadOnlySpan<char> host, [NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        if (host.Length > 2 && host[0] == '[' && host[^1] == ']')
        {
            ReadOnlySpan<char> inner = host[1..^1];
            return inner.Contains(':') && !inner.Contains('%') && !inner.Contains('[') && IPAddress.TryParse(inner, out address);
        }
        // The parser also takes "1", "0x7f.1" and leading zeros as octal. Only what it would print itself is an address here.
        return IPAddress.TryParse(host, out address) && address.AddressFamily == AddressFamily.InterNetwork && host.SequenceEqual(address.ToString());
    }
}
