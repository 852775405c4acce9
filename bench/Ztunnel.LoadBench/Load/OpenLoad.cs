using System.Diagnostics;
using System.Net;
using Ztunnel.LoadBench.Native;

namespace Ztunnel.LoadBench.Load;

/// <summary>
/// Echoes at a fixed rate, whatever the answers take: request k is due at k / rate on connection k mod n. A request that finds its connection busy waits for it, and its latency counts from the moment
/// it was due: a proxy that stalls pays for everything that would have been asked meanwhile (no coordinated omission). All subjects carry the same load, so that latencies compare.
/// </summary>
internal sealed class OpenLoad : LoadLoop
{
    private readonly byte[] _message;
    private readonly byte[] _buffer = new byte[256 * 1024];
    private readonly double _ticksPerRequest;
    private readonly List<int> _connections;
    private readonly long _startedAt;
    // By descriptor: its place in the list.
    private readonly int[] _index;
    // By place: bytes of the outstanding answer, and the number of the request that is outstanding or comes next.
    private readonly int[] _missingBytes;
    private readonly long[] _request;
    // Requests below this number were due.
    private long _due;

    public OpenLoad(IPEndPoint[] targets, int messageBytes, int requestsPerSecond)
        : base(targets[0])
    {
        _message = new byte[messageBytes];
        _message.AsSpan().Fill((byte)'E');
        _connections = OpenConnections(targets, (byte)'E', TimeSpan.FromSeconds(20));
        _index = new int[_connections.Max() + 1];
        _missingBytes = new int[_connections.Count];
        _request = new long[_connections.Count];
        for (int index = 0; index < _connections.Count; index++)
        {
            _index[_connections[index]] = index;
            _request[index] = index;
            Epoll.Add(_connections[index], Epoll.In);
        }

        Epoll.WakeExactly();
        _ticksPerRequest = (double)Stopwatch.Frequency / requestsPerSecond;
        _startedAt = Stopwatch.GetTimestamp();
    }

    /// <summary>What was due and has no answer yet has waited until now at least: leaving it out would flatter a subject that falls behind.</summary>
    public void RecordUnanswered()
    {
        long now = Stopwatch.GetTimestamp();
        for (int index = 0; index < _connections.Count; index++)
        {
            for (long request = _request[index]; request < _due; request += _connections.Count)
            {
                Latency.Record(Nanoseconds(now - DueAt(request)));
            }
        }
    }

    protected override int WaitForEvents()
    {
        long now = Stopwatch.GetTimestamp();
        for (; DueAt(_due) <= now; _due++)
        {
            int index = (int)(_due % _connections.Count);
            if (_missingBytes[index] == 0 && _request[index] == _due)
            {
                Send(index);
            }
        }

        return Epoll.WaitFor(Nanoseconds(Math.Max(0, DueAt(_due) - Stopwatch.GetTimestamp())));
    }

    protected override void OnEvent(int fd, uint events)
    {
        int received = ReceiveEcho(fd, _buffer);
        if (received == 0)
        {
            return;
        }

        int index = _index[fd];
        _missingBytes[index] -= received;
        if (_missingBytes[index] > 0)
        {
            return;
        }

        BytesReceived += _message.Length;
        Operations++;
        Latency.Record(Nanoseconds(Stopwatch.GetTimestamp() - DueAt(_request[index])));
        _request[index] += _connections.Count;
        if (_request[index] < _due)
        {
            Send(index);
        }
    }

    private void Send(int index)
    {
        _missingBytes[index] = _message.Length;
        if (Tcp.Send(_connections[index], _message) != _message.Length)
        {
            Fail("an echo could not be sent in one piece");
            Tcp.Close(_connections[index]);
        }
    }

    private long DueAt(long request) => _startedAt + (long)(request * _ticksPerRequest);

    private static long Nanoseconds(long ticks) => (long)(ticks * (1e9 / Stopwatch.Frequency));
}
