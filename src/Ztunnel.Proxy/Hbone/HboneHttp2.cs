using Ztunnel.Http2;

namespace Ztunnel.Proxy.Hbone;

/// <summary>The HTTP/2 settings of one loop's tunnels in both roles, as peers see them (data-path 5.1).</summary>
internal sealed class HboneHttp2
{
    public HboneHttp2(ProxySettings settings, int loops)
    {
        var budget = new WindowBudget(settings.WindowGrowthBytes / loops);
        Client = Http2Settings.ForClient with
        {
            MaxStreamWindowBytes = settings.Http2StreamWindowBytes,
            ConnectionWindowBytes = settings.Http2ConnectionWindowBytes,
            MaxFrameBytes = settings.Http2FrameBytes,
            StreamsBeforeSettings = settings.PoolMaxStreams,
            GrowthBudget = budget,
        };
        Server = Http2Settings.ForServer with
        {
            MaxStreamWindowBytes = settings.Http2StreamWindowBytes,
            ConnectionWindowBytes = settings.Http2ConnectionWindowBytes,
            MaxFrameBytes = settings.Http2FrameBytes,
            GrowthBudget = budget,
        };
    }

    public Http2Settings Client { get; }

    public Http2Settings Server { get; }
}
