using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Conformance;

/// <summary>RFC 9113 section 6 where no other test holds it.</summary>
public sealed class FrameDefinitionTests
{
    [Fact]
    public void Rfc9113_6_1_DataOnAStreamThePeerEnded_IsStreamErrorStreamClosed()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Send(TestFrame.Connect(1, endStream: true));

        peer.Send(TestFrame.DataOf(1, 1));

        peer.AssertReset(1, Http2ErrorCode.StreamClosed);
    }

    [Theory]
    [InlineData(TestFrame.Data)]
    [InlineData(TestFrame.Headers)]
    public void Rfc9113_6_1_6_2_PaddingOfTheWholeFrame_IsConnectionError(byte type)
    {
        for (int length = 1; length <= 3; length++)
        {
            RawPeer peer = RawPeer.OfServer();
            peer.Accept(1);

            peer.Send(new TestFrame(type, TestFrame.Padded | TestFrame.EndHeaders, type == TestFrame.Data ? 1 : 3, [(byte)length, .. new byte[length - 1]]));

            peer.AssertGoAway(Http2ErrorCode.ProtocolError);
        }
    }

    [Fact]
    public void Rfc9113_6_1_PaddingThatIsNotZero_IsTolerated()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);

        peer.Send(new TestFrame(TestFrame.Data, TestFrame.Padded, 1, [2, .. "x"u8, 7, 7]));

        Assert.Equal(["data 1 1"], peer.Events.Log);
    }

    [Fact]
    public void Rfc9113_6_2_SectionWithoutEnd_IsFollowedByItsContinuationsOnly()
    {
        foreach (TestFrame next in (TestFrame[])[TestFrame.DataOf(1, 1), TestFrame.Connect(5), TestFrame.Reset(3, Http2ErrorCode.Cancel), TestFrame.Settings(), TestFrame.GoAway(0, Http2ErrorCode.NoError)])
        {
            RawPeer peer = RawPeer.OfServer();
            peer.Accept(1);

            peer.Send(new TestFrame(TestFrame.Headers, 0, 3, []), next);

            peer.AssertGoAway(Http2ErrorCode.ProtocolError);
        }
    }

    [Theory]
    [InlineData(Http2Role.Client)]
    [InlineData(Http2Role.Server)]
    public void Rfc9113_6_5_FirstFrameOfEachSide_IsSettings(Http2Role role)
    {
        byte[] said = RawPeer.Unconnected(role).ReadBytes();

        TestFrame first = TestFrame.ReadAll(said.AsSpan(role == Http2Role.Client ? TestFrame.Preface.Length : 0))[0];

        Assert.Equal((TestFrame.SettingsType, (byte)0, 0), (first.Type, first.Flags, first.StreamId));
    }

    [Fact]
    public void Rfc9113_6_5_2_WhatWeAnnounce_IsWithinTheBounds()
    {
        foreach (Http2Role role in (Http2Role[])[Http2Role.Client, Http2Role.Server])
        {
            byte[] said = RawPeer.Unconnected(role).ReadBytes();
            byte[] payload = TestFrame.ReadAll(said.AsSpan(role == Http2Role.Client ? TestFrame.Preface.Length : 0))[0].Payload;
            Dictionary<int, uint> settings = payload.Chunk(6).ToDictionary(static p => (p[0] << 8) | p[1], static p => System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(p.AsSpan(2)));

            // A server never says anything about push but 0; a client turns it off.
            Assert.Equal(role == Http2Role.Client, settings.TryGetValue(2, out uint push));
            Assert.Equal(0u, push);
            Assert.InRange(settings[4], 1u, 0x7fff_ffffu);
            Assert.InRange(settings[5], 16_384u, 16_777_215u);
        }
    }

    [Fact]
    public void Rfc9113_6_5_3_Values_AreAppliedInTheirOrder()
    {
        RawPeer peer = RawPeer.OfClient(settings: null, (4, 10), (3, 0), (4, 20), (3, 7));

        Assert.Equal(7, peer.Connection.MaxConcurrentStreams);
        Assert.Equal(20, peer.Open().SendWindow);
    }

    [Fact]
    public void Rfc9113_6_5_3_EverySettingsFrame_IsAcknowledgedOnce_AcknowledgementsAreNot()
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(TestFrame.Settings(), TestFrame.Settings((1, 0)), new TestFrame(TestFrame.SettingsType, TestFrame.Ack, 0, []));

        Assert.Equal([(TestFrame.SettingsType, TestFrame.Ack), (TestFrame.SettingsType, TestFrame.Ack)], peer.Read().Select(static frame => (frame.Type, frame.Flags)));
    }

    [Fact]
    public void Rfc9113_6_7_AcknowledgementOfAPing_IsNotAnswered()
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(TestFrame.PingOf(1, ack: true));

        Assert.Empty(peer.Read());
    }

    [Fact]
    public void Rfc9113_6_8_BehindOurLastGoAway_TablesAndWindowsStayInStep()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        peer.Connection.StartGracefulShutdown(0);
        peer.Connection.OnTick(2_000);
        peer.Forget();

        // Above the last stream: refused, but read, and its bytes come back to the connection.
        peer.Send(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 3, [.. TestFrame.Fields((":method", "CONNECT")), 0x40, 1, (byte)'x', 1, (byte)'1']));
        for (int i = 0; i < 20; i++)
        {
            Assert.False(peer.Send(TestFrame.DataOf(3, 1_000_000)).IsClosed);
            peer.ReadBytes();
        }
        Assert.False(peer.Send(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders | TestFrame.EndStream, 1, [0xbe])).IsClosed);
        Assert.Equal("end 1", peer.Events.Log[^1]);
    }

    [Fact]
    public void Rfc9113_6_8_Client_OpensNothingBehindThePeersGoAway()
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Open();

        peer.Send(TestFrame.GoAway(int.MaxValue, Http2ErrorCode.NoError));

        Assert.False(peer.Connection.CanOpenStream);
        Assert.Null(peer.Connection.OpenStream(RawPeer.Request(), owner: null));
    }

    [Fact]
    public void Rfc9113_6_9_PaddingAndFramesOfClosedStreams_CountAgainstTheConnection()
    {
        RawPeer peer = RawPeer.OfServer(Http2Settings.ForServer with { ConnectionWindowBytes = 100_000 });
        peer.Accept(1);
        peer.Send(new TestFrame(TestFrame.Data, TestFrame.Padded, 1, [255, .. new byte[90_000]]));

        peer.Send(TestFrame.DataOf(1, 20_000));

        peer.AssertGoAway(Http2ErrorCode.FlowControlError);
    }

    [Fact]
    public void Rfc9113_6_9_2_WindowBelowZero_SendsNothingUntilItIsPositive()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);
        stream.WriteDataHeader(new byte[9], 10_000, endStream: false);
        peer.Send(TestFrame.Settings((4, 5_000)));
        Assert.Equal(0, stream.MaxDataPayload);

        peer.Send(TestFrame.WindowUpdate(1, 5_000));
        Assert.Equal(0, stream.MaxDataPayload);
        peer.Send(TestFrame.WindowUpdate(1, 1));
        Assert.Equal(1, stream.MaxDataPayload);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(0)]
    public void Rfc9113_6_10_ContinuationBehindACompleteSection_IsConnectionError(int streamId)
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Send(TestFrame.Connect(1));
        peer.Forget();

        peer.Send(new TestFrame(TestFrame.Continuation, TestFrame.EndHeaders, streamId, []));

        peer.AssertGoAway(Http2ErrorCode.ProtocolError);
    }
}
