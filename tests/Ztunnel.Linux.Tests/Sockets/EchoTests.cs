using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Loop;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

/// <summary>Many connections over two loops whose echo is slowed by its own receivers: every byte comes back, in order, and then the end.</summary>
public class EchoTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(8, 3_000_000)]
    [InlineData(100, 20_000)]
    public async Task Echo_UnderBackpressure_ReturnsEveryByteAndTheEnd(int connections, int bytes)
    {
        using var fixture = new LoopFixture(loops: 2);
        using ListenerSocket listener = ListenerSocket.Start(SocketPair.Home.OpenListener(new IPEndPoint(IPAddress.Loopback, 0), ListenerKind.Workload), fixture.Loops, new EchoServer());

        await Task.WhenAll(Enumerable.Range(0, connections).Select(index => EchoAsync(listener.LocalEndPoint, bytes, seed: index)));

        foreach (EventLoop loop in fixture.Loops.Loops)
        {
            Assert.Equal(0, await LoopFixture.On(loop, static loop => Task.FromResult(loop.Buffers.RentedBytes)));
        }
    }

    private static async Task EchoAsync(IPEndPoint endPoint, int bytes, int seed)
    {
        byte[] sent = new byte[bytes];
        new Random(seed).NextBytes(sent);
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(endPoint);
        Task sending = SendAsync(client, sent);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[10_000];
        while (await client.ReceiveAsync(buffer).WaitAsync(LoopFixture.Limit) is > 0 and int received)
        {
            hash.AppendData(buffer.AsSpan(0, received));
        }

        await sending.WaitAsync(LoopFixture.Limit);
        Assert.Equal(SHA256.HashData(sent), hash.GetHashAndReset());
    }

    private static async Task SendAsync(Socket client, byte[] bytes)
    {
        for (int offset = 0; offset < bytes.Length;)
        {
            offset += await client.SendAsync(bytes.AsMemory(offset));
        }

        client.Shutdown(SocketShutdown.Send);
    }

    private sealed class EchoServer : IAcceptHandler
    {
        public void OnAccepted(EventLoop loop, LoopSocket socket) => socket.Handler = new Echo(socket);

        public void OnAcceptError(EventLoop loop, Errno error, AcceptBackoff backoff) => throw new LinuxException(error, "accept");
    }

    /// <summary>Reads into the loop's scratch, sends it back, and owns a buffer only for what the client did not take.</summary>
    private sealed class Echo(LoopSocket socket) : ISocketHandler, ILoopItem
    {
        private NativeBuffer? _unsent;
        private int _offset;
        private int _length;

        public bool IsQueued { get; set; }

        public void Run() => Pump();

        public void OnReadable() => Pump();

        public void OnWritable()
        {
            IoResult sent = socket.Send(_unsent!.Slice(_offset, _length));
            _offset += sent.Bytes;
            _length -= sent.Bytes;
            if (sent.Status != IoStatus.Failed && _length > 0)
            {
                return;
            }

            socket.Loop.Buffers.Return(_unsent);
            _unsent = null;
            Pump();
        }

        public void OnHangup() => Close();

        private void Pump()
        {
            if (_unsent is not null || socket.IsClosed || !socket.IsReadable)
            {
                return;
            }

            Span<byte> scratch = socket.Loop.ReceiveScratch.Span;
            IoResult received = socket.Receive(scratch);
            if (received.Status is IoStatus.EndOfStream or IoStatus.Failed)
            {
                Close();
                return;
            }

            IoResult sent = received.IsDone ? socket.Send(scratch[..received.Bytes]) : received;
            if (sent.Status == IoStatus.Failed)
            {
                Close();
            }
            else if (sent.Bytes < received.Bytes)
            {
                Keep(scratch[sent.Bytes..received.Bytes]);
            }
            else
            {
                socket.Loop.EnqueueReady(this); // one read a turn: the others have theirs
            }
        }

        private void Keep(ReadOnlySpan<byte> rest)
        {
            _unsent = socket.Loop.Buffers.Rent(rest.Length);
            rest.CopyTo(_unsent.Span);
            (_offset, _length) = (0, rest.Length);
        }

        private void Close()
        {
            if (_unsent is not null)
            {
                socket.Loop.Buffers.Return(_unsent);
                _unsent = null;
            }

            socket.Dispose();
        }
    }
}
