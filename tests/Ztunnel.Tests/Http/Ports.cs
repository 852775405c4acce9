using System.Net;
using System.Net.Sockets;

namespace Ztunnel.Tests.Http;

/// <summary>Ports of loopback that nobody listens on.</summary>
internal static class Ports
{
    public static int Free() => Free(1)[0];

    public static int[] Free(int count)
    {
        List<Socket> sockets = [];
        for (int i = 0; i < count; i++)
        {
            sockets.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            sockets[i].Bind(new IPEndPoint(IPAddress.Loopback, 0));
        }

        int[] ports = [.. sockets.Select(static socket => ((IPEndPoint)socket.LocalEndPoint!).Port)];
        sockets.ForEach(static socket => socket.Dispose());
        return ports;
    }
}
