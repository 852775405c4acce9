using System.Net;
using System.Net.Sockets;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

/// <summary>The awaitable calls of set-up phases: time limits, cancellation, and that they complete inline on their loop.</summary>
public class SocketAwaitTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(30);

    [Fact]
    public async Task ReceiveAsync_NothingComes_TimesOutAndTheSocketIsStillUsable()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                NativeBuffer buffer = loop.Buffers.Rent(1024);

                Assert.Equal(IoResult.Failed(Errno.ETIMEDOUT), await ours.ReceiveAsync(buffer, 0, Short));
                peer.Send("abc"u8);
                Assert.Equal(IoResult.Moved(3), await ours.ReceiveAsync(buffer, 5, LoopFixture.Limit));

                Assert.True(buffer.Slice(5, 3).SequenceEqual("abc"u8));
                loop.Buffers.Return(buffer);
                ours.Dispose();
            }
        });
    }

    [Fact]
    public async Task ReceiveAsync_SocketClosedMeanwhile_IsCancelledButNotInsideThatCall()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                NativeBuffer buffer = loop.Buffers.Rent(1024);
                Task<IoResult> waiting = ours.ReceiveAsync(buffer, 0, LoopFixture.Limit).AsTask();

                ours.Dispose();

                Assert.False(waiting.IsCompleted);
                Assert.Equal(IoResult.Failed(Errno.ECANCELED), await waiting.WaitAsync(LoopFixture.Limit));
                Assert.Equal(IoResult.Failed(Errno.ECANCELED), await ours.ReceiveAsync(buffer, 0, LoopFixture.Limit));
                loop.Buffers.Return(buffer);
            }
        });
    }

    [Fact]
    public async Task ReceiveAsync_SecondReader_IsRefused()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                Task<IoResult> first = ours.WaitReadableAsync(LoopFixture.Limit).AsTask();

                Assert.Throws<InvalidOperationException>(() => { _ = ours.WaitReadableAsync(LoopFixture.Limit).AsTask(); });

                ours.Dispose();
                await first;
            }
        });
    }

    [Fact]
    public async Task SendAllAsync_MoreThanTheWindow_FinishesWhileThePeerReads()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                peer.ReceiveBufferSize = 8192;
                ours.Options.SetSendBuffer(8192);
                NativeBuffer buffer = loop.Buffers.Rent(512 * 1024);
                buffer.Span.Fill(0x42);
                Task<IoResult> sending = ours.SendAllAsync(buffer, 0, buffer.Length, LoopFixture.Limit).AsTask();
                Assert.False(sending.IsCompleted);

                byte[] sink = new byte[64 * 1024];
                for (int received = 0; received < buffer.Length;)
                {
                    int bytes = await peer.ReceiveAsync(sink);
                    Assert.Equal(-1, sink.AsSpan(0, bytes).IndexOfAnyExcept((byte)0x42));
                    received += bytes;
                }

                Assert.Equal(IoResult.Moved(buffer.Length), await sending.WaitAsync(LoopFixture.Limit));
                loop.Buffers.Return(buffer);
                ours.Dispose();
            }
        });
    }

    [Fact]
    public async Task SendAllAsync_PeerDoesNotRead_TimesOut()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                ours.Options.SetSendBuffer(8192);
                NativeBuffer buffer = loop.Buffers.Rent(512 * 1024);
                IoResult result;
                do
                {
                    result = await ours.SendAllAsync(buffer, 0, buffer.Length, Short);
                }
                while (result.IsDone);

                Assert.Equal((IoStatus.Failed, Errno.ETIMEDOUT), (result.Status, result.Error));
                loop.Buffers.Return(buffer);
                ours.Dispose();
            }
        });
    }

    [Fact]
    public async Task Awaits_AfterWarmUp_AllocateOnlyTheStateMachine()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket first, LoopSocket second) = await SocketPair.ConnectBothAsync(loop);
            NativeBuffer buffer = loop.Buffers.Rent(1024);
            long before = 0;
            for (int round = 0; round < 1100; round++)
            {
                if (round == 100)
                {
                    before = GC.GetAllocatedBytesForCurrentThread();
                }

                // This method is one state machine that exists already: each round must add nothing.
                ValueTask<IoResult> reading = first.ReceiveAsync(buffer, 0, LoopFixture.Limit);
                second.Send("x"u8);
                Assert.True((await reading).IsDone);
            }

            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
            loop.Buffers.Return(buffer);
            first.Dispose();
            second.Dispose();
        });
    }

    [Fact]
    public async Task ConnectAsync_NobodyListens_IsRefused()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            ConnectResult result = await LoopSocket.ConnectAsync(loop, SocketPair.Home.OpenTcp(AddressFamily.InterNetwork), UnusedEndPoint(), LoopFixture.Limit, CancellationToken.None);

            Assert.Equal(new ConnectResult(null, Errno.ECONNREFUSED), result);
            Assert.Equal(0, loop.WatchCount);
        });
    }

    [Fact]
    public async Task ConnectAsync_ListenerWithAFullQueue_TimesOut()
    {
        using var fixture = new LoopFixture();
        using var queue = new FullQueue();
        await fixture.OnLoop(async loop =>
        {
            ConnectResult result = await LoopSocket.ConnectAsync(loop, SocketPair.Home.OpenTcp(AddressFamily.InterNetwork), queue.EndPoint, Short, CancellationToken.None);

            Assert.Equal(new ConnectResult(null, Errno.ETIMEDOUT, IsTimeout: true), result);
            Assert.Equal(0, loop.WatchCount);
        });
    }

    [Fact]
    public async Task ConnectAsync_CancelledByAnotherThread_GivesUp()
    {
        using var fixture = new LoopFixture();
        using var queue = new FullQueue();
        using var cancellation = new CancellationTokenSource();
        await fixture.OnLoop(async loop =>
        {
            Task<ConnectResult> connecting = LoopSocket.ConnectAsync(loop, SocketPair.Home.OpenTcp(AddressFamily.InterNetwork), queue.EndPoint, LoopFixture.Limit, cancellation.Token).AsTask();
            await Task.Run(cancellation.Cancel);

            Assert.Equal(new ConnectResult(null, Errno.ECANCELED), await connecting);
            Assert.Equal(0, loop.WatchCount);
        });
    }

    [Fact]
    public async Task Stop_WithOperationsWaiting_AnswersThemAndClosesTheSockets()
    {
        using LoopGroup loops = LoopGroup.Start(1);
        (Task<IoResult> waiting, Socket peer) = await LoopFixture.On(loops.Loops[0], async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            return (ours.WaitReadableAsync(LoopFixture.Limit).AsTask(), peer);
        });

        using (peer)
        {
            await Task.Run(loops.Loops[0].Stop).WaitAsync(LoopFixture.Limit);

            Assert.Equal(IoResult.Failed(Errno.ECANCELED), await waiting.WaitAsync(LoopFixture.Limit));
            Assert.Equal(0, await peer.ReceiveAsync(new byte[1]));
        }
    }

    private static IPEndPoint UnusedEndPoint()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return (IPEndPoint)socket.LocalEndPoint!;
    }

    /// <summary>A listener that accepts nobody and whose queue is full: a further SYN gets no answer.</summary>
    private sealed class FullQueue : IDisposable
    {
        private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        private readonly Socket _first = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

        public FullQueue()
        {
            _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _listener.Listen(0);
            _first.Connect(EndPoint);
        }

        public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndPoint!;

        public void Dispose()
        {
            _first.Dispose();
            _listener.Dispose();
        }
    }
}
