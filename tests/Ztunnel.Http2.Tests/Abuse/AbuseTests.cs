using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Abuse;

/// <summary>Peers that make us work: each ends with ENHANCE_YOUR_CALM and a reason, none with memory or time lost; ordinary use stays far below.</summary>
public sealed class AbuseTests
{
    public static TheoryData<string, byte[], int> Floods => new()
    {
        { "too_many_settings", TestFrame.Settings().ToBytes(), 101 },
        { "too_many_pings", TestFrame.PingOf(1).ToBytes(), 1_001 },
        { "too_many_empty_frames", TestFrame.DataOf(1, 0).ToBytes(), 1_001 },
        { "too_many_window_updates", TestFrame.WindowUpdate(1, 1).ToBytes(), 10_001 },
        { "too_many_window_updates", TestFrame.WindowUpdate(0, 1).ToBytes(), 10_001 },
        { "too_many_ignored_frames", new TestFrame(TestFrame.Priority, 0, 1, new byte[5]).ToBytes(), 2_001 },
        { "too_many_ignored_frames", new TestFrame(0x42, 0, 0, []).ToBytes(), 2_001 },
    };

    [Theory]
    [MemberData(nameof(Floods))]
    public void Flood_AboveItsAllowance_EndsTheConnection(string reason, byte[] frame, int count)
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        peer.Connection.OnTick(10_000);    // what the set-up used is refilled
        for (int i = 0; i < count - 1; i++)
        {
            Assert.False(peer.SendBytes(frame).IsClosed, $"closed after {i}");
            peer.ReadBytes();
        }

        peer.SendBytes(frame);

        TestFrame goAway = peer.Read()[^1];
        Assert.Equal(((uint)Http2ErrorCode.EnhanceYourCalm, reason), (goAway.Code, goAway.Debug));
    }

    [Theory]
    [MemberData(nameof(Floods))]
    public void SameRateOverAMinute_IsFine(string reason, byte[] frame, int count)
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        for (int i = 0; i < 10; i++)
        {
            peer.Connection.OnTick(10_000L * (i + 1));
            for (int j = 0; j < count - 1; j++)
                Assert.False(peer.SendBytes(frame).IsClosed, reason);
            peer.ReadBytes();
        }
    }

    [Fact]
    public void RapidReset_InOneRead_EndsTheConnection()
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send([.. Enumerable.Range(0, 50).SelectMany(i => new[] { TestFrame.Connect((2 * i) + 1), TestFrame.Reset((2 * i) + 1, Http2ErrorCode.Cancel) })]);

        TestFrame goAway = peer.Read()[^1];
        Assert.Equal(((uint)Http2ErrorCode.EnhanceYourCalm, "too_many_resets"), (goAway.Code, goAway.Debug));
        Assert.Equal(21, peer.Events.Log.Count(line => line.StartsWith("request", StringComparison.Ordinal)));
    }

    [Fact]
    public void RapidReset_SpreadOverReads_EndsTheConnectionToo()
    {
        RawPeer peer = RawPeer.OfServer();
        int streams = 0;
        for (; streams < 10_000 && !peer.Connection.Result.IsClosed; streams++)
        {
            peer.Send(TestFrame.Connect((2 * streams) + 1));
            peer.Send(TestFrame.Reset((2 * streams) + 1, Http2ErrorCode.Cancel));
        }

        Assert.Equal(2_001, streams);
    }

    [Fact]
    public void CancellingAllStreamsAtOnce_IsFine()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Send([.. Enumerable.Range(0, 200).Select(i => TestFrame.Connect((2 * i) + 1))]);

        peer.Send([.. Enumerable.Range(0, 200).Select(i => TestFrame.Reset((2 * i) + 1, Http2ErrorCode.Cancel))]);

        Assert.False(peer.Connection.Result.IsClosed);
        Assert.Equal(0, peer.Connection.ActiveStreams);
    }

    [Fact]
    public void ResetsThatThePeerCauses_EndTheConnectionIn1025()
    {
        RawPeer peer = RawPeer.OfServer();
        int streams = 0;
        for (; streams < 10_000 && !peer.Connection.Result.IsClosed; streams++)
        {
            peer.Send(TestFrame.HeadersOf((2 * streams) + 1, endStream: false, (":method", "GET")));
            if (!peer.Connection.Result.IsClosed)
                peer.ReadBytes();
        }

        Assert.Equal(1_025, streams);
        Assert.Equal("too_many_internal_resets", peer.Read()[^1].Debug);
    }

    [Fact]
    public void RefusalsThatBothSidesReset_AreNoAbuse()
    {
        RawPeer peer = RawPeer.OfServer();
        for (int i = 0; i < 20_000; i++)
        {
            int id = (2 * i) + 1;
            peer.Send(TestFrame.Connect(id));
            peer.Events.Streams[id].Respond(503, baggage: null, endStream: true);
            peer.ReadBytes();
            Assert.False(peer.Send(TestFrame.Reset(id, Http2ErrorCode.Cancel)).IsClosed);
        }
    }

    [Fact]
    public void PeerThatDoesNotReadItsAnswers_IsCutOff()
    {
        RawPeer peer = RawPeer.OfServer(Http2Settings.ForServer with { Limits = new Http2Limits { Pings = int.MaxValue } });
        int pings = 0;
        while (pings < 100_000 && !peer.Send(TestFrame.PingOf(1)).IsClosed)
            pings++;

        Assert.Equal(1_000, pings);
        Assert.Equal("too_many_unread_answers", peer.Connection.Result.Text);
    }

    [Fact]
    public void ContinuationFlood_IsCutOffBySizeAndByCount()
    {
        RawPeer bySize = RawPeer.OfServer();
        bySize.Send(new TestFrame(TestFrame.Headers, 0, 1, []));
        for (int i = 0; i < 8; i++)
            bySize.Send(new TestFrame(TestFrame.Continuation, 0, 1, new byte[16_384]));
        Assert.False(bySize.Connection.Result.IsClosed);
        bySize.Send(new TestFrame(TestFrame.Continuation, 0, 1, [0]));
        Assert.Equal("header_section_too_large", bySize.Read()[^1].Debug);

        RawPeer byCount = RawPeer.OfServer();
        byCount.Send(new TestFrame(TestFrame.Headers, 0, 1, []));
        for (int i = 0; i < 33; i++)
            byCount.Send(new TestFrame(TestFrame.Continuation, 0, 1, []));
        Assert.Equal("too_many_continuations", byCount.Read()[^1].Debug);
    }

    [Fact]
    public void SettingsWithManyParameters_AreCutOff()
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(new TestFrame(TestFrame.SettingsType, 0, 0, new byte[606]));

        peer.AssertGoAway(Http2ErrorCode.EnhanceYourCalm);
    }

    [Fact]
    public void WindowUpdatesThatFollowOurData_AreNoFlood()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);
        var header = new byte[9];
        for (int i = 0; i < 50_000; i++)
        {
            stream.WriteDataHeader(header, 100, endStream: false);
            Assert.False(peer.Send(TestFrame.WindowUpdate(0, 100), TestFrame.WindowUpdate(1, 100)).IsClosed);
        }
    }
}
