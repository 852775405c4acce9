using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Inbound;

/// <summary>Port 15008: accepts the tunnels of other proxies.</summary>
internal sealed class InboundListener(WorkloadProxy proxy) : IAcceptHandler
{
    public void OnAccepted(EventLoop loop, LoopSocket socket)
    {
        WorkloadLoop home = proxy.Home(loop);
        home.Context.Traffic.SocketOpened(loop.Index, Reporter.Destination);
        new InboundTunnel(home, socket, proxy.SpoofsSource).Start();
    }

    public void OnAcceptError(EventLoop loop, Errno error, AcceptBackoff backoff) =>
        ProxyLog.AcceptFailed(proxy.Context.InboundLog, ErrnoText.Describe(error));
}
