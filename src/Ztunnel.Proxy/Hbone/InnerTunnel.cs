using Ztunnel.Http2;
using Ztunnel.Mesh.Identity;
using Ztunnel.Proxy.Connections;

namespace Ztunnel.Proxy.Hbone;

/// <summary>
/// The tunnel inside a stream to a network gateway, for one connection only: the gateway chooses a workload for every stream, so that sharing would tie connections to one (istio-integration 6.4).
/// Ends with its one stream; the outer tunnel stays.
/// </summary>
internal sealed class InnerTunnel : ITunnelOwner, ITunnelStreamOwner
{
    private readonly HboneConnection _connection;

    public InnerTunnel(WorkloadLoop home, TunnelStream outer, StreamTransport transport, in HandshakeResult handshake)
    {
        outer.Owner = this;
        Peer = handshake.Session!.Peer.Identity;
        _connection = new HboneConnection(transport, handshake.Session, Http2Role.Client, home.Proxy.Http2.Client, home.Proxy.InnerDeliveries, this) { Counts = home.Proxy.ClientTunnels };
        _connection.Start(handshake);
    }

    /// <summary>Who the workload behind the gateway proved to be.</summary>
    public SpiffeId? Peer { get; }

    public TunnelStream? OpenStream(TunnelRequest request, ITunnelStreamOwner owner) => _connection.OpenStream(request, owner);

    // ---- the tunnel

    void ITunnelOwner.OnRequest(HboneConnection tunnel, Http2Stream stream, in Http2Request request) => stream.Reset(Http2ErrorCode.ProtocolError);

    void ITunnelOwner.OnCapacityChanged(HboneConnection tunnel)
    {
        if (tunnel.Http2.ActiveStreams == 0)
            tunnel.Drain();
    }

    void ITunnelOwner.OnClosed(HboneConnection tunnel, ConnectionOutcome cause)
    {
    }

    // ---- the outer stream, of which the transport hears by itself

    void ITunnelStreamOwner.OnResponse(TunnelStream stream, in Http2Response response)
    {
    }

    void ITunnelStreamOwner.OnTransferred(int toTunnel, int toApplication)
    {
    }

    void ITunnelStreamOwner.OnEnded(TunnelStream stream, ConnectionOutcome outcome)
    {
    }
}
