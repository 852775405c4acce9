using System.Diagnostics;
using System.Net;
using Ztunnel.LoadBench.Measurement;
using Ztunnel.LoadBench.Native;

namespace Ztunnel.LoadBench.Load;

/// <summary>Connections that one thread drives for a warm-up and a measured window; kinds of load differ in what they do with an event.</summary>
internal abstract class LoadLoop(IPEndPoint target) : IDisposable
{
    /// <summary>Connections being set up at the same time before the warm-up: fewer than any listener's backlog.</summary>
    private const int ParallelSetups = 64;

    private readonly Epoll _epoll = new();

    public LatencyHistogram Latency { get; } = new();

    /// <summary>Round trips, or connections, completed in the window.</summary>
    public long Operations { get; protected set; }

    /// <summary>Bytes this side received in the window.</summary>
    public long BytesReceived { get; protected set; }

    public long Errors { get; protected set; }

    public string? FirstError { get; private set; }

    protected Epoll Epoll => _epoll;

    protected IPEndPoint Target => target;

    /// <summary>Runs the window; begin and end are called at its edges, on this thread, so that what they read belongs to the window exactly.</summary>
    public void Run(LoadWindow window, Action begin, Action end)
    {
        bool isMeasuring = false;
        while (true)
        {
            long now = Stopwatch.GetTimestamp();
            if (!isMeasuring && now >= window.BeginsAt)
            {
                Latency.Reset();
                (Operations, BytesReceived) = (0, 0);
                begin();
                isMeasuring = true;
            }

            if (now >= window.EndsAt)
            {
                end();
                return;
            }

            int count = WaitForEvents();
            for (int index = 0; index < count; index++)
            {
                (int fd, uint events) = _epoll[index];
                OnEvent(fd, events);
            }
        }
    }

    public void Dispose() => _epoll.Dispose();

    /// <summary>Waits for events, shortly: the edges of the window are looked at in between.</summary>
    protected virtual int WaitForEvents() => _epoll.Wait(timeoutMilliseconds: 10);

    protected abstract void OnEvent(int fd, uint events);

    protected void Fail(string error)
    {
        Errors++;
        FirstError ??= error;
    }

    /// <summary>What came of an echo; 0 when there was nothing yet, or when the connection has ended, which counts as an error.</summary>
    protected int ReceiveEcho(int fd, byte[] buffer)
    {
        int received = Tcp.Receive(fd, buffer);
        if (received > 0 || received == Tcp.WouldBlock)
        {
            return Math.Max(0, received);
        }

        Fail("an echo connection ended");
        Tcp.Close(fd);
        return 0;
    }

    /// <summary>Opens connections to the targets, each having sent a first byte and, for an echo, received it back; within the time limit, or an exception says how far it came.</summary>
    protected List<int> OpenConnections(IReadOnlyList<IPEndPoint> targets, byte firstByte, TimeSpan limit)
    {
        var done = new List<int>(targets.Count);
        var pending = new Dictionary<int, bool>();
        using var setup = new Epoll();
        long deadline = Stopwatch.GetTimestamp() + (long)(limit.TotalSeconds * Stopwatch.Frequency);
        int next = 0;
        byte[] buffer = [firstByte];
        while (done.Count < targets.Count)
        {
            while (pending.Count < ParallelSetups && next < targets.Count)
            {
                int fd = Tcp.StartConnect(targets[next++]);
                if (fd < 0)
                {
                    throw new InvalidOperationException($"connect failed with errno {-fd} after {done.Count} of {targets.Count} connections");
                }

                setup.Add(fd, Epoll.Out);
                pending[fd] = false;
            }

            int count = setup.Wait(timeoutMilliseconds: 100);
            for (int index = 0; index < count; index++)
            {
                int fd = setup[index].Fd;
                bool isReady = pending[fd] ? ReceiveFirst(fd, buffer) : SendFirst(fd, setup, pending, buffer);
                if (isReady)
                {
                    pending.Remove(fd);
                    setup.Remove(fd);
                    done.Add(fd);
                }
            }

            if (Stopwatch.GetTimestamp() > deadline)
            {
                throw new TimeoutException($"{done.Count} of {targets.Count} connections within {limit.TotalSeconds} s");
            }
        }

        return done;
    }

    private static bool SendFirst(int fd, Epoll setup, Dictionary<int, bool> pending, byte[] buffer)
    {
        int error = Tcp.TakeError(fd);
        if (error != 0 || Tcp.Send(fd, buffer) != 1)
        {
            throw new InvalidOperationException($"connect or first send failed with errno {error}");
        }

        pending[fd] = true;
        setup.Modify(fd, Epoll.In);
        // A connection that swallows or generates has nothing to wait for.
        return buffer[0] != (byte)'E';
    }

    private static bool ReceiveFirst(int fd, byte[] buffer)
    {
        int received = Tcp.Receive(fd, buffer);
        return received == 1 || (received == Tcp.WouldBlock ? false : throw new InvalidOperationException("the connection ended before its first echo"));
    }
}

/// <summary>When to measure, in <see cref="Stopwatch"/> ticks.</summary>
internal readonly record struct LoadWindow(long BeginsAt, long EndsAt)
{
    public static LoadWindow StartNow(TimeSpan warmUp, TimeSpan measured)
    {
        long begin = Stopwatch.GetTimestamp() + (long)(warmUp.TotalSeconds * Stopwatch.Frequency);
        return new LoadWindow(begin, begin + (long)(measured.TotalSeconds * Stopwatch.Frequency));
    }
}
