using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Connections;

namespace Ztunnel.Proxy.Socks5;

/// <summary>Tells a client what became of its request.</summary>
internal static class SocksReply
{
    /// <summary>The few bytes always fit: they are the second thing the socket is given.</summary>
    public static void Send(LoopSocket client, SocksStatus status)
    {
        Span<byte> reply = stackalloc byte[SocksProtocol.ReplyBytes];
        SocksProtocol.WriteReply(reply, status);
        client.Send(reply);
    }

    public static SocksStatus StatusOf(EndReason reason) => reason switch
    {
        EndReason.PolicyDenied or EndReason.RecursiveCall or EndReason.IdentityRejected => SocksStatus.NotAllowed,
        EndReason.NoRoute => SocksStatus.NetworkUnreachable,
        EndReason.ConnectTimedOut or EndReason.TunnelConnectTimedOut or EndReason.SetUpTimedOut => SocksStatus.HostUnreachable,
        EndReason.ConnectFailed => SocksStatus.ConnectionRefused,
        _ => SocksStatus.Failed,
    };
}
