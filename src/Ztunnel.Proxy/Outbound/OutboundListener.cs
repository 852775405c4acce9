using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.Routing;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Outbound;

/// <summary>Port 15001: accepts what the pod's applications send out and starts one <see cref="OutboundConnection"/> for each.</summary>
internal sealed class OutboundListener(WorkloadProxy proxy) : IAcceptHandler
{
    public void OnAccepted(EventLoop loop, LoopSocket socket)
    {
        WorkloadLoop home = proxy.Home(loop);
        home.Context.Traffic.SocketOpened(loop.Index, Reporter.Source);
        var destination = new OriginalDestination(proxy.ReadOriginalDestination(socket, home.Context.OutboundLog));
        new OutboundConnection(home, socket, destination).Start();
    }

    public void OnAcceptError(EventLoop loop, Errno error, AcceptBackoff backoff) =>
        ProxyLog.AcceptFailed(proxy.Context.OutboundLog, ErrnoText.Describe(error));
}
