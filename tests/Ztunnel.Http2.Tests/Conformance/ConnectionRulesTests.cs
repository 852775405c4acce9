using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Conformance;

/// <summary>RFC 9113 sections 3 to 5 where no other test holds them; tests/rfc9113.md has the whole table.</summary>
public sealed class ConnectionRulesTests
{
    [Theory]
    [InlineData(Http2Role.Client)]
    [InlineData(Http2Role.Server)]
    public void Rfc9113_3_4_SettingsOfThePreface_AreAcknowledged(Http2Role role)
    {
        RawPeer peer = RawPeer.Unconnected(role);
        peer.ReadBytes();
        if (role == Http2Role.Server)
            peer.SendBytes(TestFrame.Preface);

        peer.Send(TestFrame.Settings((3, 100)));

        Assert.Equal((TestFrame.SettingsType, TestFrame.Ack, 0, 0), Shape(peer.Read()[^1]));
    }

    [Fact]
    public void Rfc9113_3_4_FirstFrameOfAnAcknowledgement_IsNoPreface()
    {
        RawPeer peer = RawPeer.Unconnected(Http2Role.Client);

        peer.Send(new TestFrame(TestFrame.SettingsType, TestFrame.Ack, 0, []));

        Assert.Equal(Http2ErrorCode.ProtocolError, peer.Connection.Result.Code);
    }

    [Fact]
    public void Rfc9113_4_1_FlagsThatMeanNothing_AreIgnored()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Send(TestFrame.Connect(1) with { Flags = TestFrame.EndHeaders | 0xd2 });
        Assert.Equal(["request 1 CONNECT 10.0.0.2:8080"], peer.Events.TakeLog());

        peer.Send(TestFrame.DataOf(1, 2) with { Flags = 0xf6 }, TestFrame.PingOf(1) with { Flags = 0xfe }, TestFrame.Settings() with { Flags = 0xfe }, TestFrame.Reset(1, Http2ErrorCode.Cancel) with { Flags = 0xff });

        Assert.Equal(["data 1 2", "settings", "reset 1 Cancel", "closed 1"], peer.Events.Log);
    }

    [Fact]
    public void Rfc9113_4_1_ReservedBits_AreIgnoredInEveryField()
    {
        RawPeer peer = RawPeer.OfClient();
        Http2Stream first = peer.Open();
        peer.Open();
        byte[] update = TestFrame.WindowUpdate(1, 0x8000_0005).ToBytes();
        update[5] |= 0x80;

        peer.SendBytes(update);
        peer.Send(new TestFrame(TestFrame.GoAwayType, 0, 0, [0x80, 0, 0, 1, 0, 0, 0, 0]));

        Assert.Equal(65_535, first.SendWindow);    // the stream has five more than the connection
        Assert.Equal(["goaway 1 NoError", "reset 3 RefusedStream", "closed 3"], peer.Events.Log);
    }

    [Fact]
    public void Rfc9113_4_1_WhatWeSend_HasReservedBitsAndUnusedFlagsUnset()
    {
        RawPeer client = RawPeer.Unconnected(Http2Role.Client);
        client.Connect();
        List<TestFrame> frames = TestFrame.ReadAll(client.ReadBytes().AsSpan(TestFrame.Preface.Length));
        RawPeer server = RawPeer.OfServer();
        server.Send(TestFrame.Settings(), TestFrame.PingOf(5), TestFrame.Connect(1), TestFrame.Connect(3), TestFrame.HeadersOf(5, false, (":method", "GET")));
        server.Events.Streams[1].Respond(200, "a=b", endStream: false);
        server.Events.Streams[3].Respond(503, baggage: null, endStream: true);
        server.Connection.StartGracefulShutdown(0);
        frames.AddRange(server.Read());

        Assert.Equal(9, frames.Select(static frame => (frame.Type, frame.Flags)).Distinct().Count());
        foreach (TestFrame frame in frames)
        {
            int used = frame.Type switch
            {
                TestFrame.SettingsType or TestFrame.Ping => TestFrame.Ack,
                TestFrame.Headers => TestFrame.EndHeaders | TestFrame.EndStream,
                _ => 0,
            };
            Assert.Equal(0, frame.Flags & ~used);
            Assert.True(frame.StreamId >= 0);
        }
    }

    [Fact]
    public void Rfc9113_4_2_FrameOfTheSmallestMaximum_IsTakenWhole()
    {
        RawPeer peer = RawPeer.OfServer(Http2Settings.ForServer with { MaxFrameBytes = 16_384 });
        peer.Accept(1);

        Assert.False(peer.Send(TestFrame.DataOf(1, 16_384)).IsClosed);
        Assert.Equal(16_384, peer.Events.Streams[1].UnconsumedBytes);

        peer.Send(TestFrame.DataOf(1, 16_385));
        peer.AssertGoAway(Http2ErrorCode.FrameSizeError);
    }

    [Fact]
    public void Rfc9113_4_3_SectionOfARefusedStream_StillFeedsTheTable()
    {
        RawPeer peer = RawPeer.OfServer(Http2Settings.ForServer with { MaxConcurrentStreams = 1 });
        peer.Accept(1);
        peer.Send(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 3, [.. TestFrame.Fields((":method", "CONNECT")), 0x41, 3, .. "b:2"u8]));
        peer.AssertReset(3, Http2ErrorCode.RefusedStream);
        peer.Send(TestFrame.Reset(1, Http2ErrorCode.Cancel));
        peer.Forget();

        peer.Send(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 5, [.. TestFrame.Fields((":method", "CONNECT")), 0xbe]));

        Assert.Equal(["request 5 CONNECT b:2"], peer.Events.Log);
    }

    [Fact]
    public void Rfc9113_5_1_StreamResetByThePeer_GetsNoFurtherFrame()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);
        peer.Send(TestFrame.DataOf(1, 200_000), TestFrame.Reset(1, Http2ErrorCode.Cancel));
        peer.Forget();

        stream.Credit(200_000);
        stream.Reset(Http2ErrorCode.InternalError);
        peer.Send(TestFrame.Reset(1, Http2ErrorCode.StreamClosed), TestFrame.WindowUpdate(1, 0));

        Assert.DoesNotContain(peer.Read(), static frame => frame.StreamId == 1);
    }

    [Fact]
    public void Rfc9113_5_1_FramesBehindThePeersOwnReset_AreStreamErrors()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);
        stream.Reset(Http2ErrorCode.Cancel);
        peer.Forget();

        // Until it knows of our reset it may send; behind its own it may not.
        peer.Send(TestFrame.DataOf(1, 1), TestFrame.Reset(1, Http2ErrorCode.Cancel));
        Assert.Empty(peer.Read());
        peer.Send(TestFrame.DataOf(1, 1));

        peer.AssertReset(1, Http2ErrorCode.StreamClosed);
    }

    [Fact]
    public void Rfc9113_5_1_DataOnAStreamThatBothSidesEnded_IsStreamErrorStreamClosed()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);
        peer.Send(TestFrame.DataOf(1, 0, endStream: true));
        stream.WriteDataHeader(new byte[9], 0, endStream: true);
        peer.Forget();

        peer.Send(TestFrame.DataOf(1, 1));

        peer.AssertReset(1, Http2ErrorCode.StreamClosed);
    }

    [Fact]
    public void Rfc9113_5_1_1_IdentifierOfAnEndedStream_IsNotUsedAgain()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Send(TestFrame.Connect(1), TestFrame.Reset(1, Http2ErrorCode.Cancel));
        peer.Forget();

        peer.Send(TestFrame.Connect(1));

        peer.AssertGoAway(Http2ErrorCode.StreamClosed);
        Assert.Empty(peer.Events.Log);
    }

    [Fact]
    public void Rfc9113_5_1_1_OurIdentifiers_AreOddAndRise()
    {
        RawPeer peer = RawPeer.OfClient();

        Assert.Equal([1, 3, 5, 7], Enumerable.Range(0, 4).Select(_ => peer.Connect().Id));
    }

    [Fact]
    public void Rfc9113_5_4_2_ResetIsNotAnsweredWithAReset()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);

        peer.Send(TestFrame.Reset(1, Http2ErrorCode.Cancel), TestFrame.Reset(1, Http2ErrorCode.Cancel), TestFrame.Reset(1, Http2ErrorCode.ProtocolError));

        Assert.Empty(peer.Read());
    }

    [Fact]
    public void Rfc9113_5_5_ExtensionInsideAHeaderSection_IsConnectionError()
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(new TestFrame(TestFrame.Headers, 0, 1, []), new TestFrame(0xfa, 0, 0, []));

        peer.AssertGoAway(Http2ErrorCode.ProtocolError);
    }

    private static (byte Type, byte Flags, int StreamId, int Length) Shape(TestFrame frame) => (frame.Type, frame.Flags, frame.StreamId, frame.Payload.Length);
}
