using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Connection;

/// <summary>PINGs every ten seconds, twenty to answer (data-path 5.1).</summary>
public sealed class KeepAliveTests
{
    private const ulong Ping = 0x3b7cdb7a0b8716b4;

    [Theory]
    [InlineData(Http2Role.Client)]
    [InlineData(Http2Role.Server)]
    public void AnsweredPings_FollowEachOtherEveryTenSeconds(Http2Role role)
    {
        RawPeer peer = role == Http2Role.Server ? RawPeer.OfServer() : RawPeer.OfClient();
        Assert.Equal(KeepAliveAction.None, peer.Connection.OnTick(9_999));
        for (long now = 10_000; now <= 60_000; now += 10_000)
        {
            Assert.Equal(now, peer.Connection.NextTickMilliseconds);
            Assert.Equal(KeepAliveAction.SendPing, peer.Connection.OnTick(now));
            Assert.Equal(TestFrame.PingOf(Ping).ToBytes(), peer.ReadBytes());
            peer.Send(TestFrame.PingOf(Ping, ack: true));
        }
    }

    [Fact]
    public void SilentPeer_TimesOutTwentySecondsAfterThePing_ServerSaysGoAway()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        peer.Connection.OnTick(10_000);
        peer.Forget();

        Assert.Equal(KeepAliveAction.None, peer.Connection.OnTick(20_000));
        Assert.Equal(30_000, peer.Connection.NextTickMilliseconds);
        Assert.Equal(KeepAliveAction.None, peer.Connection.OnTick(29_999));
        Assert.Equal(KeepAliveAction.TimedOut, peer.Connection.OnTick(30_000));

        TestFrame goAway = peer.ReadOne();
        Assert.Equal((TestFrame.GoAwayType, 1, (uint)Http2ErrorCode.NoError), (goAway.Type, goAway.LastStreamId, goAway.Code));
        Assert.Equal("ping timeout", peer.Connection.Result.Text);
    }

    [Fact]
    public void SilentPeer_ClientLeavesWithoutAWord()
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Connection.OnTick(10_000);
        peer.Forget();

        Assert.Equal(KeepAliveAction.TimedOut, peer.Connection.OnTick(30_000));

        Assert.False(peer.Connection.HasControlOutput);
        Assert.False(peer.Connection.CanOpenStream);
    }

    [Fact]
    public void PeerThatSendsDataInsteadOfTheAck_IsAlive()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        peer.Connection.OnTick(10_000);
        peer.Send(TestFrame.DataOf(1, 1));

        Assert.Equal(KeepAliveAction.SendPing, peer.Connection.OnTick(30_000));
    }
}
