using Ztunnel.Http2;
using Ztunnel.Linux.Loop;
using Ztunnel.Proxy.Connections;

namespace Ztunnel.Proxy.Hbone;

/// <summary>One open tunnel of the pool, with the timer that closes it when nobody uses it.</summary>
internal sealed class PooledTunnel : ITunnelOwner
{
    private readonly TunnelPeer _peer;
    private readonly HbonePool _pool;
    private readonly LoopTimer _unused;
    private HboneConnection? _connection;

    public PooledTunnel(TunnelPeer peer, HbonePool pool)
    {
        _peer = peer;
        _pool = pool;
        _unused = new LoopTimer(pool.Home.Loop, static state => ((PooledTunnel)state!).Drain(), this);
    }

    public void Start(ITunnelTransport transport, in HandshakeResult handshake)
    {
        ProxyLoop loop = _pool.Home.Proxy;
        _connection = new HboneConnection(transport, handshake.Session!, Http2Role.Client, loop.Http2.Client, loop.Deliveries, this) { Counts = loop.ClientTunnels };
        _connection.Start(handshake);
        _unused.Arm(_pool.Settings.PoolUnusedRelease);
    }

    public TunnelStream? TryOpenStream(TunnelRequest request, ITunnelStreamOwner owner)
    {
        HboneConnection connection = _connection!;
        if (connection.IsClosed || !connection.Http2.CanOpenStream || connection.Http2.ActiveStreams >= _pool.Settings.PoolMaxStreams)
            return null;

        TunnelStream? stream = connection.OpenStream(request, owner);
        if (stream is not null)
            _unused.Cancel();
        return stream;
    }

    public void Drain() => _connection!.Drain();

    public void Shutdown(ConnectionOutcome cause) => _connection!.Shutdown(Http2ErrorCode.NoError, cause);

    public void OnRequest(HboneConnection tunnel, Http2Stream stream, in Http2Request request) => stream.Reset(Http2ErrorCode.ProtocolError);

    public void OnCapacityChanged(HboneConnection tunnel)
    {
        if (tunnel.IsClosed || tunnel.Http2.ActiveStreams > 0)
            return;

        // A peer that said GOAWAY wants no further stream: nothing to keep the tunnel for.
        if (tunnel.Http2.IsDraining)
            tunnel.Drain();
        else
            _unused.Arm(_pool.Settings.PoolUnusedRelease);
    }

    public void OnClosed(HboneConnection tunnel, ConnectionOutcome cause)
    {
        _unused.Cancel();
        _peer.Remove(this);
    }
}
