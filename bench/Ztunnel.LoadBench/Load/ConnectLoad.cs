using System.Diagnostics;
using System.Net;
using Ztunnel.LoadBench.Native;

namespace Ztunnel.LoadBench.Load;

/// <summary>
/// Clients that connect, echo one byte, close, and begin again. To one address, a proxy that tunnels opens a stream on a warm tunnel; to a fresh address each time it has to open a tunnel,
/// with a full handshake, as a proxy without tunnels does for every connection.
/// </summary>
internal sealed class ConnectLoad : LoadLoop
{
    private const int MaxErrors = 1000;

    private readonly byte[] _byte = [(byte)'E'];
    private readonly FreshAddresses? _fresh;
    // By descriptor: when its connect began, and whether the byte is on its way.
    private readonly long[] _startedAt = new long[1 << 16];
    private readonly bool[] _isSent = new bool[1 << 16];
    private int _running;

    public ConnectLoad(IPEndPoint target, int clients, FreshAddresses? fresh)
        : base(target)
    {
        _fresh = fresh;
        for (int client = 0; client < clients; client++)
        {
            Start();
        }
    }

    /// <summary>No client is left: the fresh addresses are used up.</summary>
    public bool IsExhausted => _running == 0;

    protected override void OnEvent(int fd, uint events)
    {
        if (!_isSent[fd])
        {
            int error = Tcp.TakeError(fd);
            if (error == 0 && Tcp.Send(fd, _byte) == 1)
            {
                _isSent[fd] = true;
                Epoll.Modify(fd, Epoll.In);
                return;
            }

            Finish(fd, $"connect failed with errno {error}");
            return;
        }

        int received = Tcp.Receive(fd, _byte);
        if (received == 1)
        {
            Latency.Record((long)Stopwatch.GetElapsedTime(_startedAt[fd]).TotalNanoseconds);
            Operations++;
            Finish(fd, error: null);
        }
        else if (received != Tcp.WouldBlock)
        {
            Finish(fd, "closed before the echo");
        }
    }

    private void Finish(int fd, string? error)
    {
        Tcp.Close(fd);
        _running--;
        if (error is not null)
        {
            Fail(error);
        }

        // A subject that refuses everything is reported, not hammered.
        if (Errors < MaxErrors)
        {
            Start();
        }
    }

    private void Start()
    {
        IPEndPoint target = Target;
        if (_fresh is not null && !_fresh.TryTake(out target))
        {
            return;
        }

        long now = Stopwatch.GetTimestamp();
        int fd = Tcp.StartConnect(target);
        if (fd < 0)
        {
            Fail($"connect failed with errno {-fd}");
            return;
        }

        (_startedAt[fd], _isSent[fd]) = (now, false);
        Epoll.Add(fd, Epoll.Out);
        _running++;
    }
}
