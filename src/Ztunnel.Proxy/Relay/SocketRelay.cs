using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Connections;

namespace Ztunnel.Proxy.Relay;

/// <summary>Told of the traffic and the end of a relay between two sockets.</summary>
internal interface ISocketRelayOwner
{
    /// <summary>Bytes that reached the upstream, and bytes that reached the downstream.</summary>
    void OnTransferred(int toUpstream, int toDownstream);

    /// <summary>Said once; both sockets are closed.</summary>
    void OnEnded(ConnectionOutcome outcome);
}

/// <summary>
/// Moves bytes between two sockets of one loop, plain on both sides (data-path 2.7, 4). Each direction ends on its own (half-close); a reset on one side is carried to the other.
/// Owns both sockets.
/// </summary>
internal sealed class SocketRelay
{
    private readonly ISocketRelayOwner _owner;
    private readonly RelayDirection _toUpstream;
    private readonly RelayDirection _toDownstream;
    private readonly LoopSocket _downstream;
    private readonly LoopSocket _upstream;
    private bool _ended;

    private SocketRelay(LoopSocket downstream, LoopSocket upstream, ISocketRelayOwner owner)
    {
        _owner = owner;
        _downstream = downstream;
        _upstream = upstream;
        _toUpstream = new RelayDirection(this, downstream, upstream);
        _toDownstream = new RelayDirection(this, upstream, downstream);
    }

    /// <summary>One side has ended, the other has not.</summary>
    public bool IsHalfClosed => _toUpstream.IsDone || _toDownstream.IsDone;

    public static SocketRelay Start(LoopSocket downstream, LoopSocket upstream, ISocketRelayOwner owner)
    {
        var relay = new SocketRelay(downstream, upstream, owner);
        downstream.ResetUnlessClosedInOrder();
        upstream.ResetUnlessClosedInOrder();
        downstream.Handler = new RelaySide(relay, relay._toUpstream, relay._toDownstream, downstream);
        upstream.Handler = new RelaySide(relay, relay._toDownstream, relay._toUpstream, upstream);
        return relay;
    }

    /// <summary>Ends the relay from outside; both applications see a reset.</summary>
    public void Abort(ConnectionOutcome outcome) => End(outcome, reset: true);

    internal void OnMoved(RelayDirection direction, int bytes)
    {
        if (direction == _toUpstream)
            _owner.OnTransferred(bytes, 0);
        else
            _owner.OnTransferred(0, bytes);
    }

    internal void OnFailed(LoopSocket side, Errno error)
    {
        EndReason reason = side == _downstream ? EndReason.SourceReset : EndReason.DestinationReset;
        End(new ConnectionOutcome(reason, $"io error: {ErrnoText.Describe(error)}"), reset: true);
    }

    internal void OnDirectionDone()
    {
        if (_toUpstream.IsDone && _toDownstream.IsDone)
            End(ConnectionOutcome.Completed, reset: false);
    }

    private void End(ConnectionOutcome outcome, bool reset)
    {
        if (_ended)
            return;

        _ended = true;
        _toUpstream.Stop();
        _toDownstream.Stop();
        if (reset)
        {
            _downstream.CloseWithReset();
            _upstream.CloseWithReset();
        }
        else
        {
            _downstream.CloseInOrder();
            _upstream.CloseInOrder();
        }

        _owner.OnEnded(outcome);
    }

    /// <summary>One socket's events: reading drives the direction away from it, writing the one towards it.</summary>
    private sealed class RelaySide(SocketRelay relay, RelayDirection away, RelayDirection towards, LoopSocket socket) : ISocketHandler
    {
        public void OnReadable() => away.Pump();

        public void OnWritable() => towards.OnWritable();

        public void OnHangup()
        {
            Errno error = socket.TakeError();
            if (error != Errno.None)
                relay.OnFailed(socket, error);
            else
                away.Pump();
        }
    }
}
