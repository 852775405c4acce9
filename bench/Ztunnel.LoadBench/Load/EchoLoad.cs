using System.Diagnostics;
using System.Net;
using Ztunnel.LoadBench.Native;

namespace Ztunnel.LoadBench.Load;

/// <summary>Connections that send a message, wait for it to come back, and send the next: a closed loop, so the rate is what the round trip allows.</summary>
internal sealed class EchoLoad : LoadLoop
{
    private readonly byte[] _message;
    private readonly byte[] _buffer = new byte[256 * 1024];
    // By descriptor.
    private readonly long[] _sentAt;
    private readonly int[] _missingBytes;

    public EchoLoad(IPEndPoint[] targets, int messageBytes)
        : base(targets[0])
    {
        _message = new byte[messageBytes];
        _message.AsSpan().Fill((byte)'E');
        List<int> opened = OpenConnections(targets, (byte)'E', TimeSpan.FromSeconds(20));
        _sentAt = new long[opened.Max() + 1];
        _missingBytes = new int[opened.Max() + 1];
        foreach (int fd in opened)
        {
            Epoll.Add(fd, Epoll.In);
            Send(fd);
        }
    }

    protected override void OnEvent(int fd, uint events)
    {
        int received = ReceiveEcho(fd, _buffer);
        if (received == 0)
        {
            return;
        }

        _missingBytes[fd] -= received;
        if (_missingBytes[fd] <= 0)
        {
            BytesReceived += _message.Length;
            Operations++;
            Latency.Record((long)Stopwatch.GetElapsedTime(_sentAt[fd]).TotalNanoseconds);
            Send(fd);
        }
    }

    private void Send(int fd)
    {
        _missingBytes[fd] = _message.Length;
        _sentAt[fd] = Stopwatch.GetTimestamp();
        if (Tcp.Send(fd, _message) != _message.Length)
        {
            Fail("an echo could not be sent in one piece");
            Tcp.Close(fd);
        }
    }
}
