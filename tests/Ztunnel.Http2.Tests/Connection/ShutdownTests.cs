using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Connection;

/// <summary>GOAWAY in both directions (RFC 9113 6.8, data-path 5.1).</summary>
public sealed class ShutdownTests
{
    private const ulong Ping = 0x0b7ba2f08b9bfe54;

    [Fact]
    public void Server_Graceful_AnnouncesThenNamesTheLastStreamAndWaitsForIt()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);

        peer.Connection.StartGracefulShutdown(0);
        peer.Connection.StartGracefulShutdown(0);
        Assert.Equal([.. TestFrame.GoAway(int.MaxValue, Http2ErrorCode.NoError).ToBytes(), .. TestFrame.PingOf(Ping).ToBytes()], peer.ReadBytes());

        peer.Send(TestFrame.PingOf(Ping, ack: true), TestFrame.PingOf(Ping, ack: true));
        Assert.Equal(TestFrame.GoAway(1, Http2ErrorCode.NoError).ToBytes(), peer.ReadBytes());
        Assert.False(peer.Connection.IsFinished);

        peer.Send(TestFrame.DataOf(1, 0, endStream: true));
        stream.WriteDataHeader(new byte[9], 0, endStream: true);
        Assert.True(peer.Connection.IsFinished);
    }

    [Fact]
    public void Server_StreamBetweenTheTwoGoAways_IsServed_LaterOnesAreRefused()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        peer.Connection.StartGracefulShutdown(0);
        peer.Forget();

        peer.Send(TestFrame.Connect(3));
        Assert.Equal(["request 3 CONNECT 10.0.0.2:8080"], peer.Events.TakeLog());
        peer.Send(TestFrame.PingOf(Ping, ack: true));
        Assert.Equal(3, peer.ReadOne().LastStreamId);

        peer.Send(TestFrame.Connect(5));
        peer.AssertReset(5, Http2ErrorCode.RefusedStream);
        peer.Send(TestFrame.DataOf(5, 10), TestFrame.Reset(5, Http2ErrorCode.Cancel), TestFrame.Connect(7));
        peer.AssertReset(7, Http2ErrorCode.RefusedStream);
        Assert.Equal(2, peer.Connection.ActiveStreams);
    }

    [Fact]
    public void Server_GoAwayAfterTheLastOne_NamesNoHigherStream()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        peer.Connection.StartGracefulShutdown(0);
        peer.Send(TestFrame.PingOf(Ping, ack: true), TestFrame.Connect(3));
        peer.Forget();

        peer.Connection.GoAway(Http2ErrorCode.NoError, debug: null);

        Assert.Equal(1, peer.ReadOne().LastStreamId);
    }

    [Fact]
    public void Server_PingNotAcknowledged_LastGoAwayFollowsAfterTwoSeconds()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        peer.Connection.StartGracefulShutdown(5_000);
        peer.Forget();

        Assert.Equal(7_000, peer.Connection.NextTickMilliseconds);
        Assert.Equal(KeepAliveAction.None, peer.Connection.OnTick(6_999));
        Assert.Equal(KeepAliveAction.SendPing, peer.Connection.OnTick(7_000));
        Assert.Equal(1, peer.ReadOne().LastStreamId);
    }

    [Fact]
    public void Client_Graceful_SaysGoAwayWithTheLastStream()
    {
        RawPeer peer = RawPeer.OfClient();
        Http2Stream stream = peer.Open();

        peer.Connection.StartGracefulShutdown(0);
        Assert.Empty(peer.Read());
        Assert.Null(peer.Connection.OpenStream(RawPeer.Request(), owner: null));

        stream.WriteDataHeader(new byte[9], 0, endStream: true);
        peer.Send(TestFrame.DataOf(1, 0, endStream: true));

        Assert.Equal(TestFrame.GoAway(0, Http2ErrorCode.NoError).ToBytes(), peer.ReadBytes());
        Assert.True(peer.Connection.IsFinished);
    }

    [Fact]
    public void Client_GracefulWhileIdle_LeavesAtOnce()
    {
        RawPeer peer = RawPeer.OfClient();

        peer.Connection.StartGracefulShutdown(0);

        Assert.Equal(TestFrame.GoAway(0, Http2ErrorCode.NoError).ToBytes(), peer.ReadBytes());
        Assert.True(peer.Connection.IsFinished);
    }

    [Fact]
    public void Client_GoAwayReceived_RunningStreamsFinishAndUnseenOnesAreRefused()
    {
        RawPeer peer = RawPeer.OfClient();
        Http2Stream first = peer.Open();
        peer.Connect();
        peer.Forget();

        peer.Send(TestFrame.GoAway(1, Http2ErrorCode.NoError));

        Assert.Equal(["goaway 1 NoError", "reset 3 RefusedStream", "closed 3"], peer.Events.TakeLog());
        Assert.False(peer.Connection.CanOpenStream);
        peer.Send(TestFrame.DataOf(1, 5, endStream: true));
        first.WriteDataHeader(new byte[9], 0, endStream: true);
        Assert.Equal(["data 1 5", "end 1", "closed 1"], peer.Events.TakeLog());
        Assert.Equal(TestFrame.GoAway(0, Http2ErrorCode.NoError).ToBytes(), peer.ReadBytes());
        Assert.True(peer.Connection.IsFinished);
    }

    [Fact]
    public void GoAwayWithLongDebugData_IsReadInPartAndTheNextFrameWhole()
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Open();
        TestFrame goAway = TestFrame.GoAway(1, Http2ErrorCode.EnhanceYourCalm);

        peer.Send(goAway with { Payload = [.. goAway.Payload, .. Enumerable.Repeat((byte)'x', 5_000)] }, TestFrame.DataOf(1, 3));

        Assert.Equal(["goaway 1 EnhanceYourCalm " + new string('x', 128), "data 1 3"], peer.Events.Log);
    }

    [Fact]
    public void GoAway_ByTheOwner_EndsTheConnectionWithItsReason()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);

        peer.Connection.GoAway(Http2ErrorCode.NoError, "revoked");

        TestFrame goAway = peer.ReadOne();
        Assert.Equal((1, (uint)Http2ErrorCode.NoError, "revoked"), (goAway.LastStreamId, goAway.Code, goAway.Debug));
        Assert.True(peer.Send(TestFrame.PingOf(1)).IsClosed);
        Assert.Empty(peer.Read());
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(0, 0)]
    public void Client_PeersStreamLimit_IsKept(uint limit, int streams)
    {
        RawPeer peer = RawPeer.OfClient(null, (3, limit));
        for (int i = 0; i < streams; i++)
            Assert.NotNull(peer.Connect());

        Assert.Equal((int)limit, peer.Connection.MaxConcurrentStreams);
        Assert.False(peer.Connection.CanOpenStream);
        Assert.Null(peer.Connection.OpenStream(RawPeer.Request(), owner: null));
    }

    [Fact]
    public void Client_BeforeSettings_Assumes100Streams_AfterThemNoLimit()
    {
        RawPeer peer = RawPeer.Unconnected(Http2Role.Client);
        Assert.Equal(100, peer.Connection.MaxConcurrentStreams);

        peer.Send(TestFrame.Settings());

        Assert.Equal(int.MaxValue, peer.Connection.MaxConcurrentStreams);
    }
}
