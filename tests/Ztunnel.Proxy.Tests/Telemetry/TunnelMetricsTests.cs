using Ztunnel.Http2;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Proxy.Tests.Support;

namespace Ztunnel.Proxy.Tests.Telemetry;

/// <summary>What the pool's tunnels leave in the metrics, from the first handshake to the last GOAWAY.</summary>
public sealed class TunnelMetricsTests
{
    [Fact]
    public async Task Tunnel_OpenedUsedAndDrained_IsCountedFromHandshakeToEnd()
    {
        await using var rig = new PoolRig(new SetUpLimits(), answersTls: true);
        OpenStreamResult[] results = await Task.WhenAll(rig.OpenAsync(), rig.OpenAsync());

        Assert.Equal(["ztunnel_tunnels_open{role=\"client\"} 1", "ztunnel_tunnels_open{role=\"server\"} 0"], rig.Scrape("ztunnel_tunnels_open{"));
        Assert.Equal("ztunnel_streams_open{role=\"client\"} 2", rig.Scrape("ztunnel_streams_open{")[0]);
        Assert.Equal("ztunnel_handshakes_total{role=\"client\",result=\"succeeded\"} 1", rig.Scrape("ztunnel_handshakes_total{role=\"client\"")[0]);

        await rig.OnLoopAsync(() =>
        {
            results[0].Stream!.Abort(Http2ErrorCode.Cancel, ConnectionOutcome.Drained);
            return Task.FromResult(true);
        });
        Assert.Equal("ztunnel_streams_open{role=\"client\"} 1", rig.Scrape("ztunnel_streams_open{")[0]);

        await rig.OnLoopAsync(() =>
        {
            rig.Pool.Shutdown(ConnectionOutcome.Drained);
            return Task.FromResult(true);
        });
        Assert.Equal("ztunnel_tunnels_open{role=\"client\"} 0", rig.Scrape("ztunnel_tunnels_open{")[0]);
        Assert.Equal("ztunnel_streams_open{role=\"client\"} 0", rig.Scrape("ztunnel_streams_open{")[0]);
        Assert.Contains("ztunnel_tunnels_closed_total{role=\"client\",reason=\"drained\"} 1", rig.Scrape("ztunnel_tunnels_closed_total{"));
        Assert.Equal("ztunnel_tunnels_opened_total{role=\"client\"} 1", rig.Scrape("ztunnel_tunnels_opened_total{")[0]);
        Assert.Equal("ztunnel_streams_opened_total{role=\"client\"} 2", rig.Scrape("ztunnel_streams_opened_total{")[0]);
    }

    [Fact]
    public async Task Handshake_SilentPeer_IsCountedWithItsReason()
    {
        await using var rig = new PoolRig(new SetUpLimits { Handshake = TimeSpan.FromMilliseconds(200) }, answersTls: false);

        await rig.OpenAsync();

        Assert.Contains("ztunnel_handshakes_total{role=\"client\",result=\"set_up_timed_out\"} 1", rig.Scrape("ztunnel_handshakes_total{"));
        Assert.Equal("ztunnel_tunnels_opened_total{role=\"client\"} 0", rig.Scrape("ztunnel_tunnels_opened_total{")[0]);
    }
}
