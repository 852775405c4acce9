namespace Ztunnel.Proxy.Accepting;

/// <summary>What one loop has to do, as the others see it when they decide where a connection goes.</summary>
/// <remarks>Written by the loop's own thread, read by all: a count may be a connection old.</remarks>
internal sealed class LoopLoad
{
    private int _connections;
    private int _tunnels;

    /// <summary>Connections of applications, of every pod.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Tunnels that peers opened, handshakes included.</summary>
    public int Tunnels => Volatile.Read(ref _tunnels);

    public void ConnectionEntered() => Volatile.Write(ref _connections, _connections + 1);

    public void ConnectionLeft() => Volatile.Write(ref _connections, _connections - 1);

    public void TunnelEntered() => Volatile.Write(ref _tunnels, _tunnels + 1);

    public void TunnelLeft() => Volatile.Write(ref _tunnels, _tunnels - 1);
}
