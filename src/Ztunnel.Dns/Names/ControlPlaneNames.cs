using Ztunnel.Dns.Messages;

namespace Ztunnel.Dns.Names;

/// <summary>The names under which the control plane is looked up.</summary>
internal static class ControlPlaneNames
{
    /// <summary>Whether this is one of the hosts, alone or with what the client's library has appended from its search list.</summary>
    /// <param name="hosts">Without a dot at the end.</param>
    /// <param name="wireName">As in the query.</param>
    public static bool Hold(IReadOnlyList<string> hosts, ReadOnlySpan<byte> wireName)
    {
        Span<char> text = stackalloc char[WireName.LongestBytes];
        if (!WireName.TryReadText(wireName, text, out int length))
            return false;
        ReadOnlySpan<char> name = text[..length];
        foreach (string host in hosts)
        {
            if (name.StartsWith(host, StringComparison.OrdinalIgnoreCase) && (name.Length == host.Length || name[host.Length] == '.'))
                return true;
        }

        return false;
    }
}
