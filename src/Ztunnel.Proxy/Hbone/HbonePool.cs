using Ztunnel.Proxy.Connections;

namespace Ztunnel.Proxy.Hbone;

/// <summary>A stream on a tunnel, or why there is none.</summary>
internal readonly record struct OpenStreamResult(TunnelStream? Stream, ConnectionOutcome Outcome);

/// <summary>
/// The tunnels of one pod on one loop. Streams share a tunnel while it has room; while one is being opened, all who want it wait for that one attempt and share its result (data-path 5.2).
/// </summary>
/// <remarks>Loop thread only. Keys without a tunnel are not kept.</remarks>
internal sealed class HbonePool(WorkloadLoop home)
{
    private readonly Dictionary<TunnelKey, TunnelPeer> _peers = [];

    public WorkloadLoop Home { get; } = home;

    public ProxySettings Settings => Home.Context.Settings;

    /// <summary>No new tunnels.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>Opens a stream to the peer of <paramref name="key"/>, on a new tunnel if no open one has room.</summary>
    public async ValueTask<OpenStreamResult> OpenStreamAsync(TunnelKey key, TunnelRequest request, ITunnelStreamOwner owner, long deadlineMilliseconds)
    {
        while (true)
        {
            if (IsClosed)
                return new OpenStreamResult(null, ConnectionOutcome.Drained);

            if (!_peers.TryGetValue(key, out TunnelPeer? peer))
                _peers.Add(key, peer = new TunnelPeer(this, key));
            if (peer.TryOpenStream(request, owner) is { } stream)
                return new OpenStreamResult(stream, default);

            ConnectionOutcome outcome = await WaitForAsync(peer.OpenTunnelAsync(), deadlineMilliseconds);
            if (outcome.Reason != EndReason.None)
                return new OpenStreamResult(null, outcome);

            // Waiters before us may have filled the new tunnel: then the next one is opened, as long as there is time.
            if (Home.Loop.NowMilliseconds >= deadlineMilliseconds)
                return new OpenStreamResult(null, new ConnectionOutcome(EndReason.SetUpTimedOut, "timed out waiting for a tunnel with room"));
        }
    }

    /// <summary>Ends every tunnel with its streams.</summary>
    public void Shutdown(ConnectionOutcome cause)
    {
        IsClosed = true;
        foreach (TunnelPeer peer in _peers.Values.ToArray())
            peer.Shutdown(cause);
    }

    internal void Forget(TunnelKey key) => _peers.Remove(key);

    /// <summary>The attempt may have begun for others, or wait for a certificate: whoever has no more time leaves it to them.</summary>
    private async ValueTask<ConnectionOutcome> WaitForAsync(Task<ConnectionOutcome> opening, long deadlineMilliseconds)
    {
        if (opening.IsCompleted)
            return await opening;
        try
        {
            return await opening.WaitAsync(Home.Loop.TimeLeft(deadlineMilliseconds), Home.Context.Time);
        }
        catch (TimeoutException)
        {
            return new ConnectionOutcome(EndReason.SetUpTimedOut, "timed out waiting for a tunnel");
        }
    }
}
