using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

/// <summary>Gives every connection to the same loop, whoever accepts it.</summary>
internal sealed class ChoosingHandler(EventLoop chosen, IAcceptHandler then) : IAcceptHandler
{
    public EventLoop ChooseLoop(EventLoop accepted) => chosen;

    public void OnAccepted(EventLoop loop, LoopSocket socket) => then.OnAccepted(loop, socket);

    public void OnAcceptError(EventLoop loop, Errno error, AcceptBackoff backoff) => then.OnAcceptError(loop, error, backoff);
}
