using System.Net;
using Ztunnel.LoadBench.Native;

namespace Ztunnel.LoadBench.Load;

/// <summary>Streams that carry as much as goes through, up (to the server, which counts) or down.</summary>
internal sealed class BulkLoad : LoadLoop
{
    private const int WriteBytes = 128 * 1024;

    private readonly byte[] _buffer = new byte[256 * 1024];
    private readonly bool _isUp;

    public BulkLoad(IPEndPoint[] targets, bool isUp)
        : base(targets[0])
    {
        _isUp = isUp;
        // Nothing that a compressing or deduplicating layer could like.
        new Random(1).NextBytes(_buffer);
        foreach (int fd in OpenConnections(targets, (byte)(isUp ? 'S' : 'G'), TimeSpan.FromSeconds(10)))
        {
            Epoll.Add(fd, isUp ? Epoll.Out : Epoll.In);
        }
    }

    protected override void OnEvent(int fd, uint events)
    {
        int moved = _isUp ? Tcp.Send(fd, _buffer.AsSpan(0, WriteBytes)) : Tcp.Receive(fd, _buffer);
        if (moved > 0)
        {
            BytesReceived += _isUp ? 0 : moved;
        }
        else if (moved != Tcp.WouldBlock)
        {
            Fail("a bulk stream ended");
            Tcp.Close(fd);
        }
    }
}
