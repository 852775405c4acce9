using System.Net;

namespace Ztunnel.Mesh.Propagation;

/// <summary>
/// The <c>forwarded</c> header (RFC 7239) of a CONNECT (data-path 2.8):
/// <code>for="10.0.1.5:40000";host=echo.default.svc.cluster.local</code>
/// </summary>
public static class ForwardedHeader
{
    public const string Name = "forwarded";

    /// <param name="client">The application's address and port; IPv6 is bracketed.</param>
    /// <param name="serviceHostname">Null when the destination is not known as a service.</param>
    public static string Build(IPEndPoint client, string? serviceHostname) =>
        string.IsNullOrEmpty(serviceHostname) ? $"for=\"{client}\"" : $"for=\"{client}\";host={serviceHostname}";

    /// <summary>The first <c>host</c> parameter, without quotes; null when there is none, it is empty, or the value is not ASCII.</summary>
    public static string? ParseHost(string? value)
    {
        if (value is null || !VisibleAscii.Is(value)) return null;

        foreach (Range part in new PartEnumerator(value))
        {
            ReadOnlySpan<char> parameter = value.AsSpan(part).Trim();
            if (!parameter.StartsWith("host=", StringComparison.OrdinalIgnoreCase)) continue;

            ReadOnlySpan<char> host = parameter["host=".Length..];
            if (host is ['"', ..]) host = host[1..];
            if (host is [.., '"']) host = host[..^1];
            return host.IsEmpty ? null : host.ToString();
        }
        return null;
    }

    // Parameters end at ';', elements at ',', neither inside quotes.
    private ref struct PartEnumerator(ReadOnlySpan<char> value)
    {
        private readonly ReadOnlySpan<char> _value = value;
        private int _next;

        public Range Current { get; private set; }

        public readonly PartEnumerator GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_next > _value.Length) return false;

            int start = _next;
            bool quoted = false;
            int at = start;
            for (; at < _value.Length; at++)
            {
                if (_value[at] == '"') quoted = !quoted;
                else if (!quoted && _value[at] is ';' or ',') break;
            }
            Current = start..at;
            _next = at + 1;
            return true;
        }
    }
}
