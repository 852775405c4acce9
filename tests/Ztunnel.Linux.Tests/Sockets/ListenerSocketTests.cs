using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Ztunnel.Linux.Interop;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

/// <summary>Descriptors of the whole process are used up in one of these: nothing else may run beside it.</summary>
[CollectionDefinition(nameof(ListenerSocketTests), DisableParallelization = true)]
public class ListenerSocketTestsCollection;

[Collection(nameof(ListenerSocketTests))]
public class ListenerSocketTests
{
    private static readonly IPEndPoint AnyPort = new(IPAddress.Loopback, 0);

    [Fact]
    public async Task Start_OnTwoLoops_BothAccept()
    {
        using var fixture = new LoopFixture(loops: 2);
        var handler = new AcceptingHandler { Blocks = true };
        using ListenerSocket listener = ListenerSocket.Start(SocketPair.Home.OpenListener(AnyPort, ListenerKind.Workload), fixture.Loops, handler);

        // The first connection's loop is held in its handler, so the second one must find the other loop.
        using Socket first = await ConnectAsync(listener.LocalEndPoint);
        await handler.WaitForAsync(1);
        using Socket second = await ConnectAsync(listener.LocalEndPoint);
        await handler.WaitForAsync(2);
        handler.Unblock.Set();

        Assert.Equal([0, 1], handler.AcceptedOn.Order());
    }

    [Fact]
    public async Task Accepted_HandlerChoosesALoop_ServesThereWhoeverAccepted()
    {
        using var fixture = new LoopFixture(loops: 2);
        var handler = new AcceptingHandler();
        EventLoop chosen = fixture.Loops.Loops[1];
        using ListenerSocket listener = ListenerSocket.Start(SocketPair.Home.OpenListener(AnyPort, ListenerKind.Workload), fixture.Loops, new ChoosingHandler(chosen, handler));

        Socket[] clients = [.. await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => ConnectAsync(listener.LocalEndPoint)))];
        await handler.WaitForAsync(20);

        Assert.All(handler.AcceptedOn, static loop => Assert.Equal(1, loop));
        Assert.Equal(clients.Select(static client => client.LocalEndPoint!.ToString()).Order(), handler.Sockets.Select(static socket => socket.RemoteEndPoint.ToString()).Order());

        // It is watched there: what the client sends is heard.
        var heard = new RecordingHandler();
        LoopSocket first = handler.Sockets.First();
        await LoopFixture.On(chosen, _ => Task.FromResult(first.Handler = heard));
        await clients.First(client => first.RemoteEndPoint.Equals(client.LocalEndPoint)).SendAsync("x"u8.ToArray());
        await heard.Readable;
        foreach (Socket client in clients)
        {
            client.Dispose();
        }
    }

    [Fact]
    public async Task Accepted_Sockets_InheritTheListenersOptionsAndKnowTheirPeer()
    {
        var factory = new SocketFactory(null, new SocketSettings { UserTimeout = TimeSpan.FromSeconds(77) });
        using var fixture = new LoopFixture();
        var handler = new AcceptingHandler();
        using ListenerSocket listener = ListenerSocket.Start(factory.OpenWildcardListener(0, ListenerKind.Workload), fixture.Loops, handler);

        using Socket client = await ConnectAsync(new IPEndPoint(IPAddress.Loopback, listener.LocalEndPoint.Port));
        await handler.WaitForAsync(1);
        LoopSocket accepted = handler.Sockets.First();

        Assert.True(accepted.Options.TryGetNoDelay(out bool noDelay) && noDelay);
        Assert.True(accepted.Options.TryGetKeepAlive(out bool keepAlive) && keepAlive);
        Assert.True(accepted.Options.TryGetUserTimeout(out TimeSpan timeout));
        Assert.Equal(TimeSpan.FromSeconds(77), timeout);
        Assert.Equal(client.LocalEndPoint, accepted.RemoteEndPoint);
        Assert.Equal(client.RemoteEndPoint, accepted.LocalEndPoint);
    }

    [Fact]
    public async Task StopAccepting_ConnectionsInTheQueue_AreStillServed()
    {
        using var fixture = new LoopFixture();
        var handler = new AcceptingHandler { Blocks = true };
        ListenerSocket listener = ListenerSocket.Start(SocketPair.Home.OpenListener(AnyPort, ListenerKind.Workload), fixture.Loops, handler);
        IPEndPoint endPoint = listener.LocalEndPoint;
        using Socket first = await ConnectAsync(endPoint);
        await handler.WaitForAsync(1);
        Socket[] waiting = [.. await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => ConnectAsync(endPoint)))];

        Task stopped = listener.StopAccepting();
        handler.Unblock.Set();
        await stopped.WaitAsync(LoopFixture.Limit);

        await handler.WaitForAsync(41);
        SocketException refused = await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(endPoint));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        foreach (Socket socket in waiting)
        {
            Assert.False(socket.Poll(0, SelectMode.SelectRead), "a queued connection was closed or reset");
            socket.Dispose();
        }
    }

    [Fact]
    public async Task Dispose_LoopsAlreadyStopped_StillCloses()
    {
        LoopGroup loops = LoopGroup.Start(2);
        ListenerSocket listener = ListenerSocket.Start(SocketPair.Home.OpenListener(AnyPort, ListenerKind.Workload), loops, new AcceptingHandler());
        IPEndPoint endPoint = listener.LocalEndPoint;

        loops.Dispose();
        await listener.StopAccepting().WaitAsync(LoopFixture.Limit);

        await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(endPoint));
    }

    [Fact]
    public async Task OnAccepted_Throws_ThatConnectionIsClosedAndOthersAreServed()
    {
        var reported = new ConcurrentQueue<Exception>();
        using LoopGroup loops = LoopGroup.Start(1, reported.Enqueue);
        var handler = new AcceptingHandler { FailFirst = true };
        using ListenerSocket listener = ListenerSocket.Start(SocketPair.Home.OpenListener(AnyPort, ListenerKind.Workload), loops, handler);

        using Socket first = await ConnectAsync(listener.LocalEndPoint);
        Assert.Equal(0, await first.ReceiveAsync(new byte[1]).WaitAsync(LoopFixture.Limit));
        using Socket second = await ConnectAsync(listener.LocalEndPoint);
        await handler.WaitForAsync(1);

        Assert.Single(reported);
    }

    [Fact]
    public async Task Accept_NoDescriptorsLeft_BacksOffReportsOnceAndRecoversByItself()
    {
        using var fixture = new LoopFixture(loops: 2);
        var handler = new AcceptingHandler();
        SocketHandle listening = SocketPair.Home.OpenListener(AnyPort, ListenerKind.Workload);
        Socket[] clients = [.. await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => ConnectAsync(listening.LocalEndPoint)))];
        Libc.GetOpenFilesLimit(out ulong soft, out ulong hard);
        ListenerSocket listener;
        using (var hoarder = new DescriptorHoarder(soft, hard))
        {
            listener = ListenerSocket.Start(listening, fixture.Loops, handler);

            (Errno error, AcceptBackoff backoff) = await handler.Error.WaitAsync(LoopFixture.Limit);
            Assert.Equal(Errno.EMFILE, error);
            Assert.InRange(backoff.Delay, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(1));

            // The second report is a second later, and tells how often it failed meanwhile: a handful of times, not a busy loop.
            (_, AcceptBackoff later) = await handler.SecondError.WaitAsync(LoopFixture.Limit);
            Assert.InRange(later.Suppressed, 1, 40);
            Assert.InRange(later.Delay, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(1));
            Assert.Empty(handler.Sockets);
        }

        await handler.WaitForAsync(5);
        listener.Dispose();
        Array.ForEach(clients, client => client.Dispose());
    }

    private static async Task<Socket> ConnectAsync(IPEndPoint endPoint)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(endPoint).WaitAsync(LoopFixture.Limit);
        return socket;
    }

    /// <summary>Takes every descriptor the process may still have, and gives them back.</summary>
    private sealed class DescriptorHoarder : IDisposable
    {
        private const ulong LowLimit = 512;

        private readonly List<DescriptorHandle> _hoard = [];
        private readonly ulong _soft;
        private readonly ulong _hard;

        public DescriptorHoarder(ulong soft, ulong hard)
        {
            (_soft, _hard) = (soft, hard);
            Libc.SetOpenFilesLimit(Math.Min(LowLimit, hard), hard).OrThrow("lower the limit of open files");
            SysResult duplicate;
            while (!(duplicate = Libc.Duplicate(0)).Failed)
            {
                _hoard.Add(new DescriptorHandle((int)duplicate.Value));
            }

            Assert.Equal(Errno.EMFILE, duplicate.Error);
        }

        public void Dispose()
        {
            _hoard.ForEach(descriptor => descriptor.Dispose());
            Libc.SetOpenFilesLimit(_soft, _hard).OrThrow("restore the limit of open files");
        }
    }
}
