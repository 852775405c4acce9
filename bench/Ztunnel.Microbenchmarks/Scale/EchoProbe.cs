using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Microbenchmarks.Scale;

/// <summary>64 connections that a loop echoes and one thread asks in turn: the longest answer is the longest time for which the loop did something else, or the process stood still.</summary>
internal sealed class EchoProbe : IAcceptHandler, IDisposable
{
    private const int Connections = 64;
    private static readonly TimeSpan Forever = TimeSpan.FromHours(1);

    private readonly LoopGroup _loops = LoopGroup.Start(1);
    private readonly ListenerSocket _listener;
    private readonly Socket[] _clients;

    public EchoProbe()
    {
        SocketHandle handle = new SocketFactory(pod: null, new SocketSettings()).OpenListener(new IPEndPoint(IPAddress.Loopback, 0), ListenerKind.Plain);
        _listener = ListenerSocket.Start(handle, _loops, this);
        _clients = [.. Enumerable.Range(0, Connections).Select(_ => Connect(_listener.LocalEndPoint))];
    }

    /// <summary>Asks until <paramref name="work"/>, which runs beside it, is done. The answer is the longest time in milliseconds, and the 99th percentile.</summary>
    public (double Longest, double P99) Measure(Action work)
    {
        Task working = Task.Run(work);
        List<double> times = [];
        Span<byte> letter = [1];
        while (!working.IsCompleted)
        {
            Socket client = _clients[times.Count % Connections];
            long started = Stopwatch.GetTimestamp();
            client.Send(letter);
            client.Receive(letter);
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        working.GetAwaiter().GetResult();
        times.Sort();
        return (times[^1], times[times.Count * 99 / 100]);
    }

    public void OnAccepted(EventLoop loop, LoopSocket socket) => _ = EchoAsync(loop, socket);

    public void OnAcceptError(EventLoop loop, Errno error, AcceptBackoff backoff) => throw new InvalidOperationException($"accept: {error}");

    public void Dispose()
    {
        foreach (Socket client in _clients)
            client.Dispose();
        _listener.StopAccepting().GetAwaiter().GetResult();
        _loops.Dispose();
    }

    private static async Task EchoAsync(EventLoop loop, LoopSocket socket)
    {
        NativeBuffer buffer = loop.Buffers.Rent(1024);
        while (await socket.ReceiveAsync(buffer, 0, Forever) is { Status: IoStatus.Done } received)
            await socket.SendAllAsync(buffer, 0, received.Bytes, Forever);
        loop.Buffers.Return(buffer);
        socket.Dispose();
    }

    private static Socket Connect(EndPoint address)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        client.Connect(address);
        return client;
    }
}
