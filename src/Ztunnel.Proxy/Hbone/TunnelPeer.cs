using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Connections;
using Ztunnel.Tls.Handshake;

namespace Ztunnel.Proxy.Hbone;

/// <summary>The tunnels to one peer, and the attempt to open one more.</summary>
internal sealed class TunnelPeer(HbonePool pool, TunnelKey key)
{
    private readonly List<PooledTunnel> _tunnels = [];
    private Task<ConnectionOutcome>? _opening;

    public TunnelStream? TryOpenStream(TunnelRequest request, ITunnelStreamOwner owner)
    {
        // Backwards: the newest first, so that old ones empty and go; and one that retires may leave the list meanwhile.
        for (int index = _tunnels.Count - 1; index >= 0; index--)
        {
            if (_tunnels[index].TryOpenStream(request, owner) is { } stream)
                return stream;
        }

        return null;
    }

    public Task<ConnectionOutcome> OpenTunnelAsync()
    {
        if (_opening is { } opening)
            return opening;

        Task<ConnectionOutcome> started = OpenAsync();
        // An attempt that ended at once has cleared the field already.
        if (!started.IsCompleted)
            _opening = started;
        return started;
    }

    public void Shutdown(ConnectionOutcome cause)
    {
        foreach (PooledTunnel tunnel in _tunnels.ToArray())
            tunnel.Shutdown(cause);
    }

    public void Remove(PooledTunnel tunnel)
    {
        _tunnels.Remove(tunnel);
        ForgetIfUnused();
    }

    private async Task<ConnectionOutcome> OpenAsync()
    {
        try
        {
            return await ConnectAsync();
        }
        finally
        {
            _opening = null;
            ForgetIfUnused();
        }
    }

    private async Task<ConnectionOutcome> ConnectAsync()
    {
        WorkloadLoop home = pool.Home;
        CertificateResult certificate = await home.Workload.GetCertificateAsync(key.Source);
        if (certificate.Certificate is not { } own)
            return certificate.Outcome;
        // The pod may have gone while the authority was asked, and its namespace with it.
        if (pool.IsClosed)
            return ConnectionOutcome.Drained;

        SocketHandle handle = home.Workload.Sockets.OpenTcp(key.Address.AddressFamily);
        ConnectResult connected = await LoopSocket.ConnectAsync(home.Loop, handle, key.Address, pool.Settings.SetUp.Connect, CancellationToken.None);
        if (connected.Socket is not { } socket)
            return DescribeConnectFailure(connected.Error);

        var transport = new SocketTransport(socket);
        HandshakeResult result;
        try
        {
            result = await HandshakePump.RunAsync(transport, TlsHandshake.StartClient(own, key.Expected), home.Proxy.Handshakes, pool.Settings.SetUp.Handshake);
        }
        catch
        {
            // Nobody else knows the socket yet.
            transport.Close([]);
            throw;
        }

        home.Proxy.ClientTunnels.Handshake(result.Outcome.Reason);
        if (!result.Succeeded || pool.IsClosed)
        {
            result.Discard(home.Loop);
            transport.Close([]);
            return result.Succeeded ? ConnectionOutcome.Drained : result.Outcome;
        }

        var tunnel = new PooledTunnel(this, pool, own);
        tunnel.Start(transport, result);
        _tunnels.Add(tunnel);
        return default;
    }

    private static ConnectionOutcome DescribeConnectFailure(Errno error) => error == Errno.ETIMEDOUT
        ? new ConnectionOutcome(EndReason.TunnelConnectTimedOut, $"connection timed out, maybe a NetworkPolicy is blocking HBONE port {Ports.InboundHbone}: deadline has elapsed")
        : new ConnectionOutcome(EndReason.ConnectFailed, $"io error: {ErrnoText.Describe(error)}");

    private void ForgetIfUnused()
    {
        if (_tunnels.Count == 0 && _opening is null)
            pool.Forget(key);
    }
}
