using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Routing;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Passthrough;

/// <summary>Port 15006: accepts what reaches the pod in plain text and starts one <see cref="PassthroughConnection"/> for each.</summary>
internal sealed class PassthroughListener(WorkloadProxy proxy) : IAcceptHandler
{
    public void OnAccepted(EventLoop loop, LoopSocket socket)
    {
        WorkloadLoop home = proxy.Home(loop);
        home.Context.Traffic.SocketOpened(loop.Index, Reporter.Destination);
        var destination = new OriginalDestination(proxy.ReadOriginalDestination(socket, home.Context.PassthroughLog));
        new PassthroughConnection(home, socket, destination, proxy.SpoofsSource).Start();
    }

    public void OnAcceptError(EventLoop loop, Errno error, AcceptBackoff backoff) =>
        ProxyLog.AcceptFailed(proxy.Context.PassthroughLog, ErrnoText.Describe(error));
}
