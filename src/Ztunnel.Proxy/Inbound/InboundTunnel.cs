using System.Net;
using Ztunnel.Http2;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Identity;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Hbone;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Proxy.Inbound;

/// <summary>
/// A tunnel that a peer opened to port 15008: handshake with the pod's own certificate, then one <see cref="InboundStream"/> for each CONNECT (data-path 3.1).
/// </summary>
internal sealed class InboundTunnel(WorkloadLoop home, LoopSocket socket, bool spoofsSource) : ITunnelOwner
{
    private HboneConnection? _connection;
    private WorkloadCertificate? _own;
    private bool _closing;

    public WorkloadLoop Home { get; } = home;

    /// <summary>The peer of the tunnel: a proxy on behalf of the client, usually with the client's own address.</summary>
    public IPEndPoint Source { get; } = socket.RemoteEndPoint;

    /// <summary>The pod's address and 15008, never the original destination of a redirect.</summary>
    public IPEndPoint Destination { get; } = socket.LocalEndPoint;

    /// <summary>Who the client proved to be; absent when its certificate names nobody.</summary>
    public SpiffeId? SourceIdentity { get; private set; }

    /// <summary>Whether the application sees the client's address (data-path 1.7).</summary>
    public bool SpoofsSource { get; } = spoofsSource;

    public void Start()
    {
        Home.InboundTunnels.Add(this);
        Home.Proxy.Load.TunnelEntered();
        _ = RunAsync();
    }

    /// <summary>No new streams; the peer is told, and open streams may finish.</summary>
    public void Drain()
    {
        if (_connection is { } connection)
            connection.Drain();
        else
            Abandon();
    }

    public void Shutdown(ConnectionOutcome cause)
    {
        if (_connection is { } connection)
            connection.Shutdown(Http2ErrorCode.NoError, cause);
        else
            Abandon();
    }

    void ITunnelOwner.OnRequest(HboneConnection tunnel, Http2Stream stream, in Http2Request request)
    {
        InboundStream.Start(this, tunnel, stream, in request);
        // A tunnel must not outlive our proof of identity for long: the peer's next streams take a new one. Those it opens before it knows are served.
        if (_own!.IsSuperseded)
            tunnel.Drain();
    }

    void ITunnelOwner.OnCapacityChanged(HboneConnection tunnel)
    {
        if (!tunnel.IsClosed && _own!.IsSuperseded)
            tunnel.Drain();
    }

    void ITunnelOwner.OnClosed(HboneConnection tunnel, ConnectionOutcome cause) => Leave();

    private async Task RunAsync()
    {
        try
        {
            await AcceptAsync();
        }
        catch (Exception exception) // whatever goes wrong in one tunnel ends that tunnel only
        {
            ProxyLog.Unexpected(Home.Context.InboundLog, exception);
            Abandon();
        }
    }

    private async ValueTask AcceptAsync()
    {
        CertificateResult certificate = await Home.Workload.GetCertificateAsync();
        if (_closing)
            return;
        if (certificate.Certificate is not { } own)
        {
            Deny(certificate.Outcome with { Error = $"signing error: {certificate.Outcome.Error}" });
            return;
        }

        ProxySettings settings = Home.Context.Settings;
        var transport = new SocketTransport(socket);
        var handshake = TlsHandshake.StartServer(own);
        HandshakeResult result = await HandshakePump.RunAsync(transport, handshake, Home.Proxy.Handshakes, settings.SetUp.Handshake);
        Home.Proxy.ServerTunnels.Handshake(result.Outcome.Reason);
        if (!result.Succeeded)
        {
            if (!_closing)
                Deny(result.Outcome with { Error = $"tls handshake error: {result.Outcome.Error}" });
            return;
        }

        if (_closing)
        {
            result.Discard(Home.Loop);
            return;
        }

        _own = own;
        SourceIdentity = result.Session.Peer.Identity;
        _connection = new HboneConnection(transport, result.Session, Http2Role.Server, Home.Proxy.Http2.Server, Home.Proxy.Deliveries, this) { Counts = Home.Proxy.ServerTunnels };
        _connection.Start(result);
    }

    private void Deny(in ConnectionOutcome outcome)
    {
        Refusal.Record(Home.Proxy, Reporter.Destination, Source, Destination, outcome);
        Abandon();
    }

    /// <summary>Ends a tunnel that is not up yet. A handshake that still runs notices the closed socket.</summary>
    private void Abandon()
    {
        if (_closing)
            return;

        _closing = true;
        socket.Dispose();
        Leave();
    }

    private void Leave()
    {
        if (!Home.InboundTunnels.Remove(this))
            return;

        Home.Proxy.Load.TunnelLeft();
        Home.Context.Traffic.SocketClosed(Home.Loop.Index, Reporter.Destination);
    }
}
