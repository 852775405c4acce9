using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Abuse;

/// <summary>What a peer may try with GOAWAY: take back what it said, end what it accepted, say it for ever, or say it and go on.</summary>
public sealed class GoAwayTests
{
    [Fact]
    public void LastStream_Rises_IsConnectionError()
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Open();
        peer.Send(TestFrame.GoAway(1, Http2ErrorCode.NoError));
        peer.Forget();

        // Streams above the first one were tried elsewhere meanwhile: the peer must not claim to serve them after all.
        peer.Send(TestFrame.GoAway(3, Http2ErrorCode.NoError));

        peer.AssertGoAway(Http2ErrorCode.ProtocolError);
    }

    [Fact]
    public void LastStream_FallsStepByStep_ResetsWhatIsAboveItOnce()
    {
        RawPeer peer = RawPeer.OfClient();
        for (int i = 0; i < 3; i++)
            peer.Open();

        peer.Send(TestFrame.GoAway(int.MaxValue, Http2ErrorCode.NoError), TestFrame.GoAway(3, Http2ErrorCode.NoError), TestFrame.GoAway(3, Http2ErrorCode.NoError), TestFrame.GoAway(1, Http2ErrorCode.NoError));

        Assert.Equal(
            ["goaway 2147483647 NoError", "goaway 3 NoError", "reset 5 RefusedStream", "closed 5", "goaway 3 NoError", "goaway 1 NoError", "reset 3 RefusedStream", "closed 3"],
            peer.Events.TakeLog());
        Assert.Equal(1, peer.Connection.ActiveStreams);
    }

    [Fact]
    public void Zero_ResetsEveryStreamAsRefused_AndTheConnectionLeaves()
    {
        RawPeer peer = RawPeer.OfClient();
        for (int i = 0; i < 100; i++)
            peer.Open();

        peer.Send(TestFrame.GoAway(0, Http2ErrorCode.NoError));

        Assert.Equal(100, peer.Events.Log.Count(static line => line.EndsWith("RefusedStream", StringComparison.Ordinal)));
        Assert.True(peer.Connection.IsFinished);
        Assert.Equal(TestFrame.GoAwayType, peer.ReadOne().Type);
    }

    [Fact]
    public void Server_PeerSaysGoAwayAndGoesOn_IsServedAsBefore()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);

        peer.Send(TestFrame.GoAway(0, Http2ErrorCode.NoError), TestFrame.DataOf(1, 5), TestFrame.Connect(3));

        Assert.Equal(["goaway 0 NoError", "data 1 5", "request 3 CONNECT 10.0.0.2:8080"], peer.Events.Log);
    }

    [Fact]
    public void StreamsRefusedBehindOurLastGoAway_AreCountedAsAbuse()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        peer.Connection.StartGracefulShutdown(0);
        peer.Connection.OnTick(2_000);
        peer.Forget();
        int opened = 0;
        while (!peer.Send(TestFrame.Connect(3 + (2 * opened))).IsClosed && opened < 10_000)
        {
            opened++;
            peer.ReadBytes();
        }

        Assert.Equal(1_024, opened);
        Assert.Equal(1, peer.Connection.ActiveStreams);
        Assert.Equal("too_many_internal_resets", peer.Connection.Result.Text);
    }

    [Fact]
    public void ForgedAcknowledgement_OfTheShutdownPing_OnlyHastensOurLastGoAway()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Send(TestFrame.PingOf(0x0b7ba2f08b9bfe54, ack: true));
        Assert.Empty(peer.Read());
        peer.Accept(1);
        peer.Connection.StartGracefulShutdown(0);
        peer.Forget();

        peer.Send(TestFrame.PingOf(0x0b7ba2f08b9bfe54, ack: true), TestFrame.PingOf(0x0b7ba2f08b9bfe54, ack: true));

        Assert.Equal(1, peer.ReadOne().LastStreamId);
        Assert.Equal(1, peer.Connection.ActiveStreams);
    }
}
