using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Abuse;

/// <summary>What a tunnel full of hostile streams keeps: the table, what is remembered of resets, and texts of requests.</summary>
public sealed class ManyStreamsTests
{
    private const int Streams = 200;

    [Fact]
    public void ResetStreams_AreRememberedUpToALimit()
    {
        RawPeer peer = RawPeer.OfServer(Http2Settings.ForServer with { Limits = new Http2Limits { CausedResets = int.MaxValue } });
        for (int i = 0; i < 10_000; i++)
        {
            peer.Send(TestFrame.HeadersOf((2 * i) + 1, endStream: false, (":method", "GET")));
            peer.ReadBytes();
        }

        // The last 256 are known: late frames are ignored. Older ones are closed streams like any other.
        Assert.Empty(Frames(peer, TestFrame.DataOf(19_999, 1)));
        Assert.Empty(Frames(peer, TestFrame.DataOf(19_999 - (2 * 255), 1)));
        Assert.Equal((uint)Http2ErrorCode.StreamClosed, Assert.Single(Frames(peer, TestFrame.DataOf(19_999 - (2 * 256), 1))).Code);
    }

    [Fact]
    public void ChurnOfFullSets_LeavesNothingBehind()
    {
        var attack = new Attack(Http2Role.Server) { Answers = 503 };

        attack.Run(static i => [TestFrame.Connect((2 * i) + 1), TestFrame.Reset((2 * i) + 1, Http2ErrorCode.Cancel)], limit: 20_000);

        Assert.False(attack.Connection.Result.IsClosed);
        Assert.Equal(0, attack.Connection.ActiveStreams);
        Assert.Equal(0, attack.PeakStreams);
        attack.AssertOthersAreServed();
    }

    [Fact]
    public void Frames_OfOtherStreams_AreServedWhileOneSideMisbehaves()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream honest = peer.Accept(1);
        for (int i = 1; i < 1_000; i++)
        {
            peer.Send(TestFrame.Connect((2 * i) + 1), TestFrame.WindowUpdate((2 * i) + 1, 0), TestFrame.DataOf(1, 100));
            honest.Credit(100);
            peer.ReadBytes();
        }

        Assert.Equal(99_900, peer.Events.Received[1].Length);
        Assert.Equal((Http2StreamState.Open, 1), (honest.State, peer.Connection.ActiveStreams));
    }

    [Fact]
    public void Table_OfAFullSet_IsEmptyWhenTheyAreGone()
    {
        RawPeer peer = RawPeer.OfServer();
        for (int round = 0; round < 3; round++)
        {
            int first = round * Streams;
            for (int i = first; i < first + Streams; i++)
                peer.Accept((2 * i) + 1);
            Assert.Equal(Streams, peer.Connection.ActiveStreams);
            for (int i = first; i < first + Streams; i++)
                peer.Send(TestFrame.Reset((2 * i) + 1, Http2ErrorCode.Cancel));
            Assert.Equal(0, peer.Connection.ActiveStreams);
        }
    }

    private static List<TestFrame> Frames(RawPeer peer, TestFrame frame)
    {
        Assert.False(peer.Send(frame).IsClosed);
        return peer.Read();
    }
}
