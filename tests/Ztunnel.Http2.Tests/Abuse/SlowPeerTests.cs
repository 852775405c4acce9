using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Abuse;

/// <summary>Peers that begin something and do not end it: each is gone after a bounded time on the clock, and holds a bounded number of bytes until then.</summary>
public sealed class SlowPeerTests
{
    private const int Interval = 10_000;
    private const int Timeout = 20_000;

    [Theory]
    [InlineData(0)]
    [InlineData(23)]
    public void Preface_NeverEnds_TimesOut(int bytes)
    {
        RawPeer peer = RawPeer.Unconnected(Http2Role.Server);
        peer.SendBytes(TestFrame.Preface[..bytes]);

        AssertTimesOut(peer);
    }

    [Fact]
    public void Preface_ByteByByte_TimesOutAllTheSame()
    {
        RawPeer peer = RawPeer.Unconnected(Http2Role.Server);
        foreach (byte b in TestFrame.Preface)
            peer.SendBytes([b]);

        // The preface is no frame: SETTINGS have to follow.
        AssertTimesOut(peer);
    }

    [Fact]
    public void Settings_NeverSentByAServer_TimesOut()
    {
        RawPeer peer = RawPeer.Unconnected(Http2Role.Client);
        peer.Connect();

        Assert.Equal(KeepAliveAction.SendPing, peer.Connection.OnTick(Interval));
        Assert.Equal(KeepAliveAction.TimedOut, peer.Connection.OnTick(Interval + Timeout));
    }

    [Fact]
    public void HeaderSection_NeverEnds_TimesOut()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Connection.OnTick(Interval);
        peer.Send(new TestFrame(TestFrame.Headers, 0, 1, new byte[100]));
        Assert.Equal(KeepAliveAction.SendPing, peer.Connection.OnTick(2 * Interval));

        Assert.Equal(KeepAliveAction.TimedOut, peer.Connection.OnTick((2 * Interval) + Timeout));
    }

    [Fact]
    public void FrameHeader_NeverEnds_TimesOut()
    {
        RawPeer peer = RawPeer.OfServer();
        Assert.Equal(KeepAliveAction.SendPing, peer.Connection.OnTick(Interval));
        foreach (byte b in TestFrame.PingOf(1).ToBytes()[..8])
            peer.SendBytes([b]);

        Assert.Equal(KeepAliveAction.TimedOut, peer.Connection.OnTick(Interval + Timeout));
    }

    /// <summary>A CONTINUATION before each time-out is a frame, so the peer counts as alive; but a section has 32 of them.</summary>
    [Fact]
    public void HeaderSection_DrippedJustInTime_EndsWithItsContinuations()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Send(new TestFrame(TestFrame.Headers, 0, 1, [0]));
        int turns = 0;
        for (; !peer.Connection.Result.IsClosed && turns < 1_000; turns++)
        {
            Assert.NotEqual(KeepAliveAction.TimedOut, peer.Connection.OnTick((turns + 1) * (Interval - 1)));
            peer.Send(new TestFrame(TestFrame.Continuation, 0, 1, [0]));
        }

        Assert.Equal(33, turns);
        peer.AssertGoAway(Http2ErrorCode.EnhanceYourCalm);
    }

    [Fact]
    public void PayloadInPieces_KeepsWhatArrivedNotWhatWasAnnounced()
    {
        var attack = new Attack(Http2Role.Server);
        byte[] frame = new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 1, new byte[100_000]).ToBytes();
        attack.Feed(frame[..20]);

        Assert.InRange(attack.AllocatedBytes, 0, 4_096);
        Assert.False(attack.Connection.Result.IsClosed);
    }

    private static void AssertTimesOut(RawPeer peer)
    {
        Assert.Equal(KeepAliveAction.SendPing, peer.Connection.OnTick(Interval));
        Assert.Equal(KeepAliveAction.None, peer.Connection.OnTick(Interval + Timeout - 1));
        Assert.Equal(KeepAliveAction.TimedOut, peer.Connection.OnTick(Interval + Timeout));
        Assert.True(peer.Connection.Result.IsClosed);
    }
}
