using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Abuse;

/// <summary>Peers that starve us of window, dribble it, or send more than ours allow.</summary>
public sealed class WindowAbuseTests
{
    private const int ProtocolWindow = 65_535;

    [Theory]
    [InlineData(Http2Role.Client)]
    [InlineData(Http2Role.Server)]
    public void Peer_NeverOpensTheWindow_GetsWhatTheProtocolGivesAndNoMore(Http2Role role)
    {
        RawPeer peer = role == Http2Role.Server ? RawPeer.OfServer() : RawPeer.OfClient();
        Http2Stream stream = role == Http2Role.Server ? peer.Accept(1) : peer.Open();
        Http2Stream other = role == Http2Role.Server ? peer.Accept(3) : peer.Open();
        var header = new byte[9];
        int sent = 0;
        while (stream.MaxDataPayload is > 0 and var most)
        {
            stream.WriteDataHeader(header, most, endStream: false);
            sent += most;
        }

        // Both the stream's and the connection's: nothing may be read from any application, for as long as it lasts.
        Assert.Equal(ProtocolWindow, sent);
        Assert.Equal(0, other.MaxDataPayload);
        for (int i = 1; i <= 100; i++)
        {
            peer.Connection.OnTick(i * 10_000);
            peer.Send(TestFrame.PingOf((ulong)i, ack: true));
        }
        Assert.Equal(0, stream.MaxDataPayload);
        Assert.False(peer.Connection.Result.IsClosed);

        // It costs the peer its own streams only: they end as others do.
        stream.WriteDataHeader(header, 0, endStream: true);
        other.Reset(Http2ErrorCode.Cancel);
        Assert.Equal(1, peer.Connection.ActiveStreams);
    }

    [Fact]
    public void Peer_WithInitialWindowOfZero_GetsHeadersAndEndsOnly()
    {
        RawPeer peer = RawPeer.OfClient(settings: null, (4, 0));
        Http2Stream stream = peer.Open();

        Assert.Equal(0, stream.MaxDataPayload);
        stream.WriteDataHeader(new byte[9], 0, endStream: true);
        peer.Send(TestFrame.DataOf(1, 5, endStream: true));

        Assert.Equal("closed 1", peer.Events.Log[^1]);
    }

    /// <summary>"Data dribble": every byte of window makes one stream say so, and one frame possible, never more.</summary>
    [Fact]
    public void Peer_OpensTheWindowByteByByte_WakesOneSenderEach()
    {
        RawPeer peer = RawPeer.OfClient(settings: null, (4, 0));
        for (int i = 0; i < 100; i++)
            peer.Open();
        Http2Stream dribbled = peer.Connection.OpenStream(RawPeer.Request(), owner: null)!;
        peer.Send(TestFrame.Ok(dribbled.Id));
        peer.Forget();
        int woken = 0;
        peer.Events.WindowOpened = stream =>
        {
            Assert.Same(dribbled, stream);
            Assert.Equal(1, stream.MaxDataPayload);
            stream.WriteDataHeader(new byte[9], 1, endStream: false);
            woken++;
        };

        for (int i = 0; i < 5_000; i++)
            Assert.False(peer.Send(TestFrame.WindowUpdate(dribbled.Id, 1)).IsClosed);

        Assert.Equal(5_000, woken);
        Assert.Empty(peer.Read());
    }

    [Fact]
    public void Peer_OpensWindowsThatNobodyUses_IsCutOff()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        int updates = 0;
        while (!peer.Send(TestFrame.WindowUpdate(1, 1), TestFrame.WindowUpdate(0, 1)).IsClosed && updates < 100_000)
            updates++;

        Assert.Equal(5_000, updates);
        peer.AssertGoAway(Http2ErrorCode.EnhanceYourCalm);
    }

    /// <summary>Receivers that take nothing hold at most the windows they were given; a byte more is an error of the stream, and of the connection where all streams are full.</summary>
    [Fact]
    public void Peer_FillsEveryWindow_HoldsWhatWasAnnouncedAndNoByteMore()
    {
        Http2Settings settings = Http2Settings.ForServer with { InitialStreamWindowBytes = 100_000, MaxStreamWindowBytes = 100_000, ConnectionWindowBytes = 250_000 };
        RawPeer peer = RawPeer.OfServer(settings);
        foreach (int id in (int[])[1, 3, 5])
            peer.Accept(id);
        peer.Send(TestFrame.DataOf(1, 100_000), TestFrame.DataOf(3, 100_000), TestFrame.DataOf(5, 50_000));
        Assert.Equal(250_000, peer.Events.Streams.Values.Sum(stream => stream.UnconsumedBytes));

        peer.Send(TestFrame.DataOf(5, 1));

        peer.AssertGoAway(Http2ErrorCode.FlowControlError);
    }

    [Fact]
    public void Peer_OverrunsOneStreamAgainAndAgain_OnlyThatStreamEnds()
    {
        RawPeer peer = RawPeer.OfServer(Http2Settings.ForServer with { InitialStreamWindowBytes = 1_000, MaxStreamWindowBytes = 1_000 });
        Http2Stream other = peer.Accept(1);
        peer.Accept(3);

        peer.Send(TestFrame.DataOf(3, 1_000), TestFrame.DataOf(3, 1), TestFrame.DataOf(3, 1), TestFrame.DataOf(1, 10));

        peer.AssertReset(3, Http2ErrorCode.FlowControlError);
        Assert.Equal((Http2StreamState.Open, 10), (other.State, other.UnconsumedBytes));
    }

    [Fact]
    public void Padding_CountsAgainstTheWindowAndComesBackAtOnce()
    {
        RawPeer peer = RawPeer.OfServer(Http2Settings.ForServer with { InitialStreamWindowBytes = 1_000, MaxStreamWindowBytes = 1_000 });
        Http2Stream stream = peer.Accept(1);
        for (int i = 0; i < 100; i++)
            Assert.False(peer.Send(new TestFrame(TestFrame.Data, TestFrame.Padded, 1, [200, (byte)i, .. new byte[200]])).IsClosed);

        Assert.Equal(100, stream.UnconsumedBytes);
    }
}
