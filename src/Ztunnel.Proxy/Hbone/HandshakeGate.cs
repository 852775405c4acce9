using Ztunnel.Linux.Loop;
using Ztunnel.Proxy.Connections;

namespace Ztunnel.Proxy.Hbone;

/// <summary>Spreads the public-key work of one loop over its turns: at most <see cref="StepsPerTurn"/> handshake steps run in one turn, the others in the order they came.</summary>
internal sealed class HandshakeGate(EventLoop loop) : ILoopItem
{
    // Two steps are about a millisecond: traffic of the loop waits no longer than that behind a burst of new tunnels.
    private const int StepsPerTurn = 2;

    private readonly Queue<LoopSignal<bool>> _waiting = new();
    private int _stepsThisTurn;

    public bool IsQueued { get; set; }

    /// <summary>Completes when it is the caller's turn; at once while the turn has room.</summary>
    public ValueTask<bool> EnterAsync()
    {
        loop.EnqueueReady(this);
        if (_stepsThisTurn < StepsPerTurn && _waiting.Count == 0)
        {
            _stepsThisTurn++;
            return ValueTask.FromResult(true);
        }

        // No limit of its own: the queue shrinks by two each turn, and every handshake in it has one.
        var waiter = new LoopSignal<bool>(loop, timeout: null, timeoutValue: false);
        _waiting.Enqueue(waiter);
        return waiter.Task;
    }

    public void Run()
    {
        _stepsThisTurn = 0;
        while (_stepsThisTurn < StepsPerTurn && _waiting.TryDequeue(out LoopSignal<bool>? waiter))
        {
            _stepsThisTurn++;
            waiter.TrySet(true);
        }

        if (_waiting.Count > 0)
            loop.EnqueueReady(this);
    }
}
