using System.Net;
using Ztunnel.LoadBench.Measurement;
using Ztunnel.LoadBench.Native;

namespace Ztunnel.LoadBench.Load;

/// <summary>
/// The application behind the server-side proxy. The first byte of a connection says what it is: 'E' echo everything (that byte included), 'S' swallow and count, 'G' send for ever.
/// One destination port for all kinds, so that peers with a fixed destination need one listener. Echo connections live on one thread and bulk connections on another:
/// the latency of an echo beside bulk streams is then the proxies', not this program's.
/// </summary>
internal sealed class LoadServer : IDisposable
{
    private const int BufferBytes = 256 * 1024;
    private const int BulkWriteBytes = 128 * 1024;

    private readonly Epoll _echo = new();
    private readonly Epoll _bulk = new();
    private readonly int _listener;
    private readonly SharedCounter _swallowed;
    // By descriptor; written by the echo thread before the descriptor is added to an epoll set, which orders it for the bulk thread.
    private readonly byte[] _kind = new byte[1 << 20];

    public LoadServer(IPEndPoint local, string counterPath)
    {
        _swallowed = new SharedCounter(counterPath);
        _listener = Tcp.Listen(local);
        _echo.Add(_listener, Epoll.In);
    }

    /// <summary>Serves until the process is ended.</summary>
    public void Run()
    {
        new Thread(RunBulk) { IsBackground = true, Name = "bulk" }.Start();
        byte[] buffer = new byte[BufferBytes];
        while (true)
        {
            int count = _echo.Wait(-1);
            for (int index = 0; index < count; index++)
            {
                int fd = _echo[index].Fd;
                if (fd == _listener)
                {
                    AcceptAll();
                }
                else
                {
                    OnEchoReadable(fd, buffer);
                }
            }
        }
    }

    public void Dispose()
    {
        _echo.Dispose();
        _bulk.Dispose();
        _swallowed.Dispose();
    }

    private void AcceptAll()
    {
        for (int fd = Tcp.Accept(_listener); fd >= 0; fd = Tcp.Accept(_listener))
        {
            _kind[fd] = 0;
            _echo.Add(fd, Epoll.In);
        }
    }

    private void OnEchoReadable(int fd, byte[] buffer)
    {
        int received = Tcp.Receive(fd, buffer);
        if (received == Tcp.WouldBlock)
        {
            return;
        }

        if (received > 0 && _kind[fd] == 0)
        {
            _kind[fd] = buffer[0];
            if (buffer[0] != (byte)'E')
            {
                MoveToBulk(fd, received);
                return;
            }
        }

        // An echo client waits for its answer before it sends again: a full send buffer means a client that breaks this rule.
        if (received <= 0 || Tcp.Send(fd, buffer.AsSpan(0, received)) != received)
        {
            Tcp.Close(fd);
        }
    }

    private void MoveToBulk(int fd, int received)
    {
        _echo.Remove(fd);
        switch (_kind[fd])
        {
            case (byte)'S':
                _swallowed.Value += received;
                _bulk.Add(fd, Epoll.In);
                break;
            case (byte)'G':
                _bulk.Add(fd, Epoll.Out);
                break;
            default:
                Tcp.Close(fd);
                break;
        }
    }

    private void RunBulk()
    {
        byte[] buffer = new byte[BufferBytes];
        while (true)
        {
            int count = _bulk.Wait(-1);
            for (int index = 0; index < count; index++)
            {
                (int fd, uint events) = _bulk[index];
                int moved = _kind[fd] == (byte)'S' ? Tcp.Receive(fd, buffer)
                    : (events & (Epoll.Error | Epoll.HangUp)) != 0 ? Tcp.Failed
                    : Tcp.Send(fd, buffer.AsSpan(0, BulkWriteBytes));
                if (moved > 0)
                {
                    if (_kind[fd] == (byte)'S')
                    {
                        _swallowed.Value += moved;
                    }
                }
                else if (moved != Tcp.WouldBlock)
                {
                    Tcp.Close(fd);
                }
            }
        }
    }
}
