using System.Net;
using System.Net.Sockets;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

/// <summary>A connection over loopback between a socket of a loop and either an ordinary .NET socket or a second one of that loop.</summary>
internal static class SocketPair
{
    public static readonly SocketFactory Home = new(null, new SocketSettings());

    /// <summary>Our end on the loop, the peer's an independent implementation.</summary>
    public static async Task<(LoopSocket Ours, Socket Peer)> ConnectAsync(EventLoop loop)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        ConnectResult connected = await LoopSocket.ConnectAsync(loop, Home.OpenTcp(AddressFamily.InterNetwork), (IPEndPoint)listener.LocalEndPoint!, LoopFixture.Limit, CancellationToken.None);
        Assert.Equal(Errno.None, connected.Error);
        Socket peer = await listener.AcceptAsync();
        peer.NoDelay = true;
        return (connected.Socket!, peer);
    }

    public static async Task<(LoopSocket First, LoopSocket Second)> ConnectBothAsync(EventLoop loop)
    {
        (LoopSocket first, Socket peer) = await ConnectAsync(loop);
        using (peer)
        {
            int duplicate = new DescriptorHandleOf(peer).Duplicate();
            return (first, LoopSocket.Attach(loop, new SocketHandle(duplicate, AddressFamily.InterNetwork)));
        }
    }

    private readonly struct DescriptorHandleOf(Socket socket)
    {
        public int Duplicate()
        {
            using var borrowed = new DescriptorHandle((int)socket.SafeHandle.DangerousGetHandle());
            int descriptor = borrowed.Duplicate().Release();
            borrowed.Release();
            return descriptor;
        }
    }
}
