using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Dns.Serving;

/// <summary>The UDP port of one pod and address. Answers leave through the socket and from the address the query came in by, so that redirection finds its way back.</summary>
internal sealed class DatagramService : ISocketHandler, ILoopItem
{
    // Then the loop's connections have their turn.
    private const int BatchDatagrams = 64;

    private readonly DnsLoop _home;
    private readonly UdpSocket _socket;

    public DatagramService(DnsLoop home, UdpSocket socket)
    {
        _home = home;
        _socket = socket;
        socket.Handler = this;
    }

    bool ILoopItem.IsQueued { get; set; }

    public void Close() => _socket.Dispose();

    public void OnReadable()
    {
        Span<byte> message = _home.Loop.ReceiveScratch.Span[..ushort.MaxValue];
        for (int count = 0; count < BatchDatagrams; count++)
        {
            DatagramResult datagram = _socket.Receive(message);
            if (datagram.Result.Status == IoStatus.WouldBlock || _socket.IsClosed)
                return;
            if (!datagram.Result.IsDone)
                continue; // an error of an earlier answer, reported once
            var client = new ReplyTo(_socket, datagram);
            int length = _home.Answer(message[..datagram.Result.Bytes], client, out Span<byte> answer);
            if (length > 0)
                client.Send(answer[..length]);
        }

        _home.Loop.EnqueueReady(this);
    }

    public void OnWritable()
    {
    }

    public void OnHangup() => OnReadable();

    void ILoopItem.Run()
    {
        if (!_socket.IsClosed)
            OnReadable();
    }
}
