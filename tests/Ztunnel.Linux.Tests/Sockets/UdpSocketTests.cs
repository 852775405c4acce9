using System.Net;
using System.Net.Sockets;
using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

public class UdpSocketTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task ReceiveAsync_ThenSendTo_AnswersTheSender(string address)
    {
        using var fixture = new LoopFixture();
        var bind = new IPEndPoint(IPAddress.Parse(address), 0);
        using var client = new Socket(bind.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        client.Bind(bind);

        await fixture.OnLoop(async loop =>
        {
            using UdpSocket server = UdpSocket.Attach(loop, SocketPair.Home.OpenUdpListener(bind));
            NativeBuffer buffer = loop.Buffers.Rent(1024);
            for (int round = 0; round < 3; round++)
            {
                await client.SendToAsync("query"u8.ToArray(), server.LocalEndPoint);
                DatagramResult query = await server.ReceiveAsync(buffer, LoopFixture.Limit);
                Assert.Equal(IoResult.Moved(5), query.Result);
                Assert.Equal(client.LocalEndPoint, query.Sender.ToEndPoint());

                Assert.Equal(IoResult.Moved(6), server.SendTo("answer"u8, query.Sender));
                byte[] answer = new byte[10];
                Assert.Equal(6, await client.ReceiveAsync(answer).WaitAsync(LoopFixture.Limit));
            }

            loop.Buffers.Return(buffer);
        });
    }

    /// <summary>A connected client takes answers from the address it asked only; by itself the kernel would answer from 127.0.0.1.</summary>
    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    public async Task SendTo_FromAllAddresses_LeavesFromTheOneThatWasAsked(string wildcard)
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            using UdpSocket server = UdpSocket.Attach(loop, SocketPair.Home.OpenUdpListener(new IPEndPoint(IPAddress.Parse(wildcard), 0)));
            NativeBuffer buffer = loop.Buffers.Rent(1024);
            string[] asked = wildcard == "::" ? ["127.0.0.2", "127.0.0.1", "::1"] : ["127.0.0.2", "127.0.0.1"];
            foreach (IPAddress address in asked.Select(IPAddress.Parse))
            {
                using var client = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
                client.Bind(new IPEndPoint(address.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Loopback : IPAddress.IPv6Loopback, 0));
                client.Connect(new IPEndPoint(address, server.LocalEndPoint.Port));
                client.Send("query"u8);

                DatagramResult query = await server.ReceiveAsync(buffer, LoopFixture.Limit);
                Assert.Equal((IoResult.Moved(5), true), (query.Result, query.Destination.IsKnown));
                Assert.Equal(client.LocalEndPoint, query.Sender.ToEndPoint());
                Assert.Equal(IoResult.Moved(6), server.SendTo("answer"u8, query.Sender, query.Destination));

                Assert.Equal(6, await client.ReceiveAsync(new byte[10]).WaitAsync(LoopFixture.Limit));
            }

            loop.Buffers.Return(buffer);
        });
    }

    [Fact]
    public async Task Receive_SeveralAtOnce_EachIsWholeAndOneThatIsTooLongSaysSo()
    {
        using var fixture = new LoopFixture();
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await fixture.OnLoop(async loop =>
        {
            using UdpSocket server = UdpSocket.Attach(loop, SocketPair.Home.OpenUdpListener(new IPEndPoint(IPAddress.Loopback, 0)));
            client.Connect(server.LocalEndPoint);
            client.Send("one"u8);
            client.Send(ReadOnlySpan<byte>.Empty);
            client.Send("far too long"u8);
            await server.WaitReadableAsync(LoopFixture.Limit);
            byte[] buffer = new byte[5];

            Assert.Equal(IoResult.Moved(3), server.Receive(buffer).Result);
            Assert.Equal(IoResult.Moved(0), server.Receive(buffer).Result);
            DatagramResult cut = server.Receive(buffer);
            Assert.Equal((IoResult.Moved(5), true), (cut.Result, cut.IsTruncated));
            Assert.Equal(IoResult.WouldBlock, server.Receive(buffer).Result);
        });
    }

    [Fact]
    public async Task ReceiveAsync_NothingComes_TimesOut()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            using UdpSocket server = UdpSocket.Attach(loop, SocketPair.Home.OpenUdp(AddressFamily.InterNetwork));
            NativeBuffer buffer = loop.Buffers.Rent(1024);

            DatagramResult result = await server.ReceiveAsync(buffer, TimeSpan.FromMilliseconds(20));

            Assert.Equal(IoResult.Failed(Errno.ETIMEDOUT), result.Result);
            loop.Buffers.Return(buffer);
        });
    }

    [Fact]
    public async Task Send_ToAClosedPort_ConnectedSocketIsToldSo()
    {
        using var fixture = new LoopFixture();
        using var closed = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var endPoint = (IPEndPoint)closed.LocalEndPoint!;
        closed.Close();
        await fixture.OnLoop(async loop =>
        {
            using UdpSocket client = UdpSocket.Attach(loop, SocketPair.Home.OpenUdp(AddressFamily.InterNetwork));
            Assert.Equal(Errno.None, client.Connect(endPoint));
            NativeBuffer buffer = loop.Buffers.Rent(1024);

            Assert.Equal(IoResult.Moved(1), client.Send("?"u8));

            Assert.Equal(Errno.ECONNREFUSED, (await client.ReceiveAsync(buffer, LoopFixture.Limit)).Result.Error);
            loop.Buffers.Return(buffer);
        });
    }
}
