using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Ztunnel.Linux.Namespaces;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Endurance.Load;

/// <summary>
/// The resolver behind ztunnel: an address that follows from the name, NXDOMAIN for names that begin with "no", nothing for those that begin with "silent". Over UDP, since no answer needs more.
/// On a thread of its own: the load keeps the pool's threads busy, and a late answer would be laid at the proxy's door.
/// </summary>
internal sealed class Resolver : IDisposable
{
    private const int Port = 53;
    private const int HeaderBytes = 12;
    private const int LookForEndMilliseconds = 200;

    private readonly NetworkNamespace _network;
    private readonly Socket _socket;
    private readonly Thread _serving;
    private volatile bool _ending;

    public Resolver(string namespacePath)
    {
        _network = NetworkNamespace.Open(namespacePath);
        var sockets = new SocketFactory(_network, new SocketSettings());
        _socket = new Socket(new SafeSocketHandle(sockets.OpenUdpListener(new IPEndPoint(IPAddress.Any, Port)).Release(), ownsHandle: true)) { ReceiveTimeout = LookForEndMilliseconds, Blocking = true };
        _serving = new Thread(Serve) { Name = "resolver", IsBackground = true };
        _serving.Start();
    }

    /// <summary>What a name outside of the mesh resolves to.</summary>
    public static byte[] AddressOf(ReadOnlySpan<byte> question)
    {
        byte[] hash = SHA256.HashData(question);
        return [198, 18, hash[0], hash[1]];
    }

    public void Dispose()
    {
        _ending = true;
        _serving.Join();
        _socket.Dispose();
        _network.Dispose();
    }

    private void Serve()
    {
        byte[] buffer = new byte[1500];
        var client = new SocketAddress(AddressFamily.InterNetwork);
        while (!_ending)
        {
            try
            {
                int received = _socket.ReceiveFrom(buffer, SocketFlags.None, client);
                if (Answer(buffer.AsSpan(0, received)) is { } answer)
                    _socket.SendTo(answer, SocketFlags.None, client);
            }
            catch (SocketException)
            {
                // Nobody asked for a while, or a client has gone: its port is unreachable.
            }
        }
    }

    private static byte[]? Answer(ReadOnlySpan<byte> query)
    {
        int nameEnd = HeaderBytes + query[HeaderBytes..].IndexOf((byte)0) + 1;
        ReadOnlySpan<byte> question = query[HeaderBytes..nameEnd];
        if (question[1..].StartsWith("silent"u8))
            return null;
        // Without what follows the question: additional records of the query are not ours to repeat.
        byte[] answer = [.. query[..(nameEnd + 4)]];
        bool isKnown = !question[1..].StartsWith("no"u8);
        (answer[2], answer[3]) = (0x81, (byte)(isKnown ? 0x80 : 0x83));
        (answer[7], answer[9], answer[11]) = ((byte)(isKnown ? 1 : 0), 0, 0);
        return isKnown ? [.. answer, 0xC0, HeaderBytes, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, .. AddressOf(question)] : answer;
    }
}
