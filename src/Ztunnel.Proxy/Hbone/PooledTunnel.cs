using Ztunnel.Http2;
using Ztunnel.Linux.Loop;
using Ztunnel.Proxy.Connections;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// One open tunnel of the pool. It takes streams while it has room, and retires when nobody uses it, when it is old, when its certificate or roots have been replaced, or when the peer says GOAWAY: no new
/// streams then, and it closes behind the last one (data-path 5.2).
/// </summary>
internal sealed class PooledTunnel : ITunnelOwner
{
    private readonly TunnelPeer _peer;
    private readonly HbonePool _pool;
    private readonly WorkloadCertificate _own;
    private readonly LoopTimer _unused;
    private readonly long _retireAtMilliseconds;
    private HboneConnection? _connection;
    private bool _isUsed;   // the connection for which it was opened gets its stream, whatever happened meanwhile

    /// <param name="peer">Whose it is.</param>
    /// <param name="pool">That of the pod on this loop.</param>
    /// <param name="own">The certificate we showed the peer.</param>
    public PooledTunnel(TunnelPeer peer, HbonePool pool, WorkloadCertificate own)
    {
        _peer = peer;
        _pool = pool;
        _own = own;
        _unused = new LoopTimer(pool.Home.Loop, static state => ((PooledTunnel)state!).Retire(), this);
        _retireAtMilliseconds = pool.Home.Loop.NowMilliseconds + (long)pool.Settings.PoolMaxAge.TotalMilliseconds;
    }

    /// <summary>Asked when a stream is wanted and when one ends: no timer of its own is needed, since a tunnel that nobody uses goes anyway.</summary>
    private bool IsOutdated => _isUsed && (_own.IsSuperseded || _pool.Home.Loop.NowMilliseconds >= _retireAtMilliseconds);

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
        if (IsOutdated)
            Retire();
        if (connection.IsClosed || !connection.Http2.CanOpenStream || connection.Http2.ActiveStreams >= _pool.Settings.PoolMaxStreams)
            return null;

        TunnelStream? stream = connection.OpenStream(request, owner);
        if (stream is not null)
        {
            _isUsed = true;
            _unused.Cancel();
        }

        return stream;
    }

    public void Shutdown(ConnectionOutcome cause) => _connection!.Shutdown(Http2ErrorCode.NoError, cause);

    public void OnRequest(HboneConnection tunnel, Http2Stream stream, in Http2Request request) => stream.Reset(Http2ErrorCode.ProtocolError);

    public void OnCapacityChanged(HboneConnection tunnel)
    {
        if (tunnel.IsClosed || tunnel.Http2.ActiveStreams > 0)
            return;

        // A peer that said GOAWAY wants no further stream: nothing to keep the tunnel for.
        if (tunnel.Http2.IsDraining || IsOutdated)
            Retire();
        else
            _unused.Arm(_pool.Settings.PoolUnusedRelease);
    }

    public void OnClosed(HboneConnection tunnel, ConnectionOutcome cause)
    {
        _unused.Cancel();
        _peer.Remove(this);
    }

    private void Retire() => _connection!.Drain();
}
