using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

public class LoopSocketTests
{
    [Fact]
    public async Task Receive_ShorterThanAsked_MarksDrainedUntilMoreComes()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                byte[] buffer = new byte[100];
                await peer.SendAsync("hello"u8.ToArray());
                await ours.WaitReadableAsync(LoopFixture.Limit);

                Assert.Equal(IoResult.Moved(5), ours.Receive(buffer));
                Assert.False(ours.IsReadable);
                Assert.False(ours.PeerHungUp);

                await peer.SendAsync("again"u8.ToArray());
                await ours.WaitReadableAsync(LoopFixture.Limit);
                Assert.Equal(IoResult.Moved(3), ours.Receive(buffer.AsSpan(0, 3)));
                Assert.True(ours.IsReadable);
                Assert.Equal(IoResult.Moved(2), ours.Receive(buffer.AsSpan(0, 2)));
                Assert.Equal(IoResult.WouldBlock, ours.Receive(buffer));
                ours.Dispose();
            }
        });
    }

    [Fact]
    public async Task Receive_ShortWithTheEndBehindIt_StillFindsTheEnd()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                byte[] buffer = new byte[100];
                await peer.SendAsync("last words"u8.ToArray());
                peer.Shutdown(SocketShutdown.Send);
                while (!ours.PeerHungUp)
                {
                    await Task.Yield();
                }

                // Both came before the first read: no edge will follow, so the short read must not mean drained.
                Assert.Equal(IoResult.Moved(10), ours.Receive(buffer));
                Assert.True(ours.IsReadable);
                Assert.Equal(IoResult.EndOfStream, ours.Receive(buffer));
                Assert.False(ours.IsReadable);
                Assert.Equal(IoResult.EndOfStream, ours.Receive(buffer));

                // Half-closed: our direction still works.
                Assert.Equal(IoResult.Moved(5), ours.Send("reply"u8));
                Assert.Equal(5, await peer.ReceiveAsync(buffer));
                Assert.Equal(Errno.None, ours.ShutdownWrite());
                Assert.Equal(0, await peer.ReceiveAsync(buffer));
                ours.Dispose();
            }
        });
    }

    [Fact]
    public async Task Receive_EndAfterAShortRead_ComesWithItsOwnEdge()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            byte[] buffer = new byte[100];
            await peer.SendAsync("x"u8.ToArray());
            await ours.WaitReadableAsync(LoopFixture.Limit);
            Assert.Equal(IoResult.Moved(1), ours.Receive(buffer));
            var handler = new RecordingHandler();
            ours.Handler = handler;

            peer.Dispose();

            await handler.Readable;
            Assert.True(ours.PeerHungUp);
            Assert.Equal(IoResult.EndOfStream, ours.Receive(buffer));
            ours.Dispose();
        });
    }

    [Fact]
    public async Task Receive_UrgentDataInBetween_LosesNoOrdinaryByte()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                peer.Send("before"u8);
                peer.Send("!"u8, SocketFlags.OutOfBand);
                peer.Send("after"u8);
                byte[] received = new byte[11];
                int count = 0;
                while (count < received.Length)
                {
                    Assert.Equal(IoStatus.Done, (await ours.WaitReadableAsync(LoopFixture.Limit)).Status);
                    count += ours.Receive(received.AsSpan(count)).Bytes;
                }

                Assert.Equal("beforeafter"u8.ToArray(), received);
                ours.Dispose();
            }
        });
    }

    [Fact]
    public async Task Peer_ThatResets_IsHangupAndFailedRead()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            var handler = new RecordingHandler();
            ours.Handler = handler;

            peer.LingerState = new LingerOption(true, 0);
            peer.Dispose();

            await handler.Hangup;
            Assert.Equal(1, handler.HangupCount);
            Assert.Equal(1, handler.ReadableCount);
            Assert.Equal(IoResult.Failed(Errno.ECONNRESET), ours.Receive(new byte[10]));
            Assert.Equal(IoResult.Failed(Errno.EPIPE), ours.Send(new byte[10]));
            ours.Dispose();
        });
    }

    [Fact]
    public async Task CloseWithReset_PeerSeesAReset()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                ours.CloseWithReset();

                SocketException reset = await Assert.ThrowsAsync<SocketException>(async () => await peer.ReceiveAsync(new byte[1]));
                Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
                Assert.True(ours.IsClosed);
                Assert.Equal(IoResult.Failed(Errno.EBADF), ours.Receive(new byte[1]));
            }
        });
    }

    /// <summary>What the kernel does for a process that was killed.</summary>
    [Fact]
    public async Task ResetUnlessClosedInOrder_ClosedInAnotherWay_PeerSeesAReset()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                ours.ResetUnlessClosedInOrder();

                ours.Dispose();

                SocketException reset = await Assert.ThrowsAsync<SocketException>(async () => await peer.ReceiveAsync(new byte[1]));
                Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
            }
        });
    }

    [Fact]
    public async Task CloseInOrder_MuchIsUnsent_PeerReadsAllOfItAndTheEnd()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                ours.ResetUnlessClosedInOrder();
                byte[] block = new byte[256 * 1024];
                long sent = 0;
                while (ours.IsWritable)
                    sent += ours.Send(block).Bytes;

                ours.CloseInOrder();

                long received = 0;
                while (await peer.ReceiveAsync(block) is var piece and > 0)
                    received += piece;
                Assert.Equal(sent, received);
            }
        });
    }

    [Fact]
    public async Task Send_UntilThePeersWindowIsFull_IsToldWhenThereIsRoom()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                var handler = new RecordingHandler();
                ours.Handler = handler;
                byte[] block = new byte[256 * 1024];
                long sent = 0;
                while (ours.IsWritable)
                {
                    sent += ours.Send(block).Bytes;
                }

                Assert.Equal(IoResult.WouldBlock, ours.Send(block));
                Assert.Equal(0, handler.WritableCount);
                byte[] sink = new byte[1024 * 1024];
                for (long received = 0; received < sent;)
                {
                    received += await peer.ReceiveAsync(sink);
                }

                await handler.Writable;
                Assert.True(ours.IsWritable);
                Assert.Equal(1, handler.WritableCount);
                ours.Dispose();
            }
        });
    }

    [Fact]
    public async Task Vectors_ReadAndWritten_KeepOrderAcrossBuffers()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket first, LoopSocket second) = await SocketPair.ConnectBothAsync(loop);
            NativeBuffer source = loop.Buffers.Rent(8192);
            NativeBuffer target = loop.Buffers.Rent(8192);
            RandomNumberGenerator.Fill(source.Span);
            SendInPieces(first, source);

            int received = 0;
            while (received < 6000)
            {
                await second.WaitReadableAsync(LoopFixture.Limit);
                received += ReceiveInPieces(second, target, received);
            }

            Assert.True(source.Slice(0, 6000).SequenceEqual(target.Slice(0, 6000)));
            loop.Buffers.Return(source);
            loop.Buffers.Return(target);
            first.Dispose();
            second.Dispose();
        });
    }

    [Fact]
    public void Vectors_Consumed_PointAtTheRest()
    {
        using var pool = new BufferPool();
        NativeBuffer buffer = pool.Rent(1024);
        var vectors = default(IoVectors);
        for (int index = 0; index < IoVectors.Capacity; index++)
        {
            vectors.Add(buffer, index * 10, 10);
        }

        vectors.Consume(25);

        Assert.Equal(62, vectors.Count);
        Assert.Equal(615, vectors.TotalBytes);
        vectors.Consume(615);
        Assert.Equal(0, vectors.Count);
        Assert.Throws<InvalidOperationException>(() =>
        {
            var full = default(IoVectors);
            for (int index = 0; index <= IoVectors.Capacity; index++)
            {
                full.Add(buffer, 0, 1);
            }
        });
    }

    [Fact]
    public async Task Handler_SetWhenBytesWaitAlready_IsTold()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                peer.Send("early"u8);
                await ours.WaitReadableAsync(LoopFixture.Limit);
                var handler = new RecordingHandler();

                ours.Handler = handler;
                Assert.Equal(0, handler.ReadableCount);
                await handler.Readable;

                Assert.Equal(1, handler.ReadableCount);
                ours.Dispose();
            }
        });
    }

    [Fact]
    public async Task Handler_ThatThrows_IsReportedAndOtherSocketsGoOn()
    {
        var reported = new TaskCompletionSource<Exception>();
        using LoopGroup loops = LoopGroup.Start(1, reported.SetResult);
        await LoopFixture.On(loops.Loops[0], async loop =>
        {
            (LoopSocket bad, Socket badPeer) = await SocketPair.ConnectAsync(loop);
            (LoopSocket good, Socket goodPeer) = await SocketPair.ConnectAsync(loop);
            using (badPeer)
            using (goodPeer)
            {
                bad.Handler = new RecordingHandler { WhenReadable = () => throw new InvalidOperationException("handler") };
                var handler = new RecordingHandler();
                good.Handler = handler;
                badPeer.Send("x"u8);
                Assert.Equal("handler", (await reported.Task.WaitAsync(LoopFixture.Limit)).Message);
                goodPeer.Send("x"u8);
                await handler.Readable;
                bad.Dispose();
                good.Dispose();
                return true;
            }
        });
    }

    [Fact]
    public async Task Attach_FromAnotherThread_IsRefused()
    {
        using var fixture = new LoopFixture();

        Assert.Throws<InvalidOperationException>(() => LoopSocket.Attach(fixture.Loop, SocketPair.Home.OpenTcp(AddressFamily.InterNetwork)));
        await fixture.OnLoop(loop => loop.WatchCount);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("::ffff:127.0.0.1")]
    public async Task EndPoints_OfAnyFamily_AreCanonical(string address)
    {
        using var fixture = new LoopFixture();
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        listener.Listen(1);
        IPAddress parsed = IPAddress.Parse(address);
        IPAddress canonical = parsed.IsIPv4MappedToIPv6 ? parsed.MapToIPv4() : parsed;
        var target = new IPEndPoint(parsed, ((IPEndPoint)listener.LocalEndPoint!).Port);

        await fixture.OnLoop(async loop =>
        {
            ConnectResult connected = await LoopSocket.ConnectAsync(loop, SocketPair.Home.OpenTcp(parsed.AddressFamily), target, LoopFixture.Limit, CancellationToken.None);
            using LoopSocket socket = connected.Socket!;
            Assert.Equal(new IPEndPoint(canonical, target.Port), socket.RemoteEndPoint);
            Assert.Equal(canonical, socket.LocalEndPoint.Address);
        });
    }

    private static void SendInPieces(LoopSocket socket, NativeBuffer source)
    {
        var vectors = default(IoVectors);
        vectors.Add(source, 0, 1);
        vectors.Add(source, 1, 999);
        vectors.Add(source, 1000, 5000);
        Assert.Equal(IoResult.Moved(6000), socket.Send(ref vectors));
    }

    private static int ReceiveInPieces(LoopSocket socket, NativeBuffer target, int offset)
    {
        var vectors = default(IoVectors);
        vectors.Add(target, offset, 7);
        vectors.Add(target, offset + 7, 8192 - offset - 7);
        return socket.Receive(ref vectors).Bytes;
    }
}
