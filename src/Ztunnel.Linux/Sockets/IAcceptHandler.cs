using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Sockets;

/// <summary>How accepting goes on after the process or the machine ran out of something.</summary>
/// <param name="Delay">This loop accepts again after so long; it doubles while it fails.</param>
/// <param name="Suppressed">Failures since the last report of any listener, this one not counted.</param>
public readonly record struct AcceptBackoff(TimeSpan Delay, long Suppressed);

/// <summary>Receives a listener's connections, on the loop that accepted them or one it chooses.</summary>
public interface IAcceptHandler
{
    /// <summary>Which loop of the same group is to have the next connection. Asked on the loop that accepted it, before that loop watches it: moving it costs one post and nothing else.</summary>
    public EventLoop ChooseLoop(EventLoop accepted) => accepted;

    /// <summary>The socket is the handler's now. If this throws the socket is closed and the exception reported.</summary>
    public void OnAccepted(EventLoop loop, LoopSocket socket);

    /// <summary>Accepting failed and pauses. Called at most once a second for all listeners of the loop group together.</summary>
    public void OnAcceptError(EventLoop loop, Errno error, AcceptBackoff backoff);
}
