using System.Net.Sockets;
using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

public class TcpInfoTests
{
    [Fact]
    public async Task ReadTcpInfo_BytesThatNobodyReads_AreSeenByTheirTimes()
    {
        using var fixture = new LoopFixture();
        await fixture.OnLoop(async loop =>
        {
            (LoopSocket ours, Socket peer) = await SocketPair.ConnectAsync(loop);
            using (peer)
            {
                await peer.SendAsync("hello"u8.ToArray());
                await ours.WaitReadableAsync(LoopFixture.Limit);

                TcpInfo info = Assert.IsType<TcpInfo>(ours.ReadTcpInfo());

                // Loopback: measured at the handshake, far below a second; nothing lost, a window to send in.
                Assert.InRange(info.RoundTrip, TimeSpan.FromMicroseconds(1), TimeSpan.FromSeconds(5));
                Assert.InRange(info.CongestionWindow, 1, 1_000_000);
                TimeSpan? shortest = ours.ReadShortestRoundTrip();
                Assert.True(shortest > TimeSpan.Zero && shortest <= LoopFixture.Limit, $"{shortest}");
                Assert.Equal((0, 0L, 0L), (info.PendingRetransmits, info.TotalRetransmits, info.LostSegments));
                Assert.InRange(info.SinceLastReceived, TimeSpan.Zero, LoopFixture.Limit);
                Assert.Contains("0 retransmitted, 0 unacknowledged, 0 lost", info.ToString(), StringComparison.Ordinal);
                ours.Dispose();
                Assert.Null(ours.ReadTcpInfo());
                Assert.Null(ours.ReadShortestRoundTrip());
            }
        });
    }
}
