using Ztunnel.Http2;

namespace Ztunnel.Proxy.Hbone;

/// <summary>The CONNECT a stream is opened with (data-path 2.8). Kept while tunnels are tried.</summary>
/// <param name="Authority">Where to go: <c>address:port</c> or <c>hostname:port</c>.</param>
/// <param name="Baggage">Who the source is, for telemetry.</param>
/// <param name="Forwarded">Who the client is and which service it dialled.</param>
/// <param name="TraceParent">Correlates the log lines of both ends.</param>
/// <param name="ForwardedNetwork">Our network; only inside double HBONE.</param>
internal sealed record TunnelRequest(string Authority, string Baggage, string Forwarded, string TraceParent, string? ForwardedNetwork = null)
{
    public ConnectRequest ToConnect() => new()
    {
        Authority = Authority,
        Baggage = Baggage,
        Forwarded = Forwarded,
        TraceParent = TraceParent,
        ForwardedNetwork = ForwardedNetwork,
    };
}
