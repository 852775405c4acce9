using System.Net;
using Microsoft.Extensions.Logging;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Inbound;
using Ztunnel.Proxy.Outbound;
using Ztunnel.Proxy.Passthrough;
using Ztunnel.Proxy.Socks5;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Accepting;

/// <summary>What a listener accepts.</summary>
internal enum ListenerRole
{
    /// <summary>15008: tunnels of other proxies.</summary>
    InboundHbone,

    /// <summary>15006: what reaches the pod in plain text.</summary>
    InboundPassthrough,

    /// <summary>15001: what the pod's applications send out.</summary>
    Outbound,

    /// <summary>15080: programs of the pod that ask to be carried.</summary>
    Socks5,
}

/// <summary>One listening port of a pod: gives each connection to the loop that should have it, and starts what its role asks for.</summary>
internal sealed class ProxyListener(WorkloadProxy proxy, ListenerRole role) : IAcceptHandler
{
    private readonly ILogger _log = role switch
    {
        ListenerRole.InboundHbone => proxy.Context.InboundLog,
        ListenerRole.InboundPassthrough => proxy.Context.PassthroughLog,
        ListenerRole.Socks5 => proxy.Context.SocksLog,
        _ => proxy.Context.OutboundLog,
    };

    public EventLoop ChooseLoop(EventLoop accepted) =>
        role == ListenerRole.InboundHbone ? proxy.Balance.ForTunnel(accepted) : proxy.Balance.ForConnection(accepted);

    public void LogEstablished(IPEndPoint address) => ProxyLog.ListenerEstablished(_log, address, ComponentOf(role), proxy.IsTransparent);

    public void OnAccepted(EventLoop loop, LoopSocket socket)
    {
        WorkloadLoop home = proxy.Home(loop);
        Reporter reporter = role is ListenerRole.Outbound or ListenerRole.Socks5 ? Reporter.Source : Reporter.Destination;
        if (home.RefusesNew(reporter))
        {
            socket.CloseWithReset();
            return;
        }

        home.Context.Traffic.SocketOpened(loop.Index, reporter);
        switch (role)
        {
            case ListenerRole.InboundHbone:
                new InboundTunnel(home, socket, proxy.SpoofsSource).Start();
                break;
            case ListenerRole.InboundPassthrough:
                new PassthroughConnection(home, socket, proxy.ReadOriginalDestination(socket, _log), proxy.SpoofsSource).Start();
                break;
            case ListenerRole.Socks5:
                new SocksNegotiation(home, socket).Start();
                break;
            default:
                new OutboundConnection(home, socket, proxy.ReadOriginalDestination(socket, _log)).Start();
                break;
        }
    }

    public void OnAcceptError(EventLoop loop, Errno error, AcceptBackoff backoff) => ProxyLog.AcceptFailed(_log, ErrnoText.Describe(error));

    private static string ComponentOf(ListenerRole role) => role switch
    {
        ListenerRole.InboundHbone => "inbound",
        ListenerRole.InboundPassthrough => "inbound passthrough",
        ListenerRole.Socks5 => "socks5",
        _ => "outbound",
    };
}
