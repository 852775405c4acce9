using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Connection;

/// <summary>The life of a stream in both roles: answers, half-close, resets (data-path 3.2, 5.4; RFC 9113 5.1, 8.1).</summary>
public sealed class StreamTests
{
    [Fact]
    public void Server_ConnectDataAndBothEnds_GoesThroughAllEvents()
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(TestFrame.Connect(1), TestFrame.DataOf(1, 5));
        Http2Stream stream = peer.Events.Streams[1];
        stream.Respond(200, "service.name=echo", endStream: false);

        Assert.Equal(["request 1 CONNECT 10.0.0.2:8080", "data 1 5"], peer.Events.TakeLog());
        Assert.Equal([":status: 200", "baggage: service.name=echo"], peer.Fields(peer.ReadOne()));

        var header = new byte[9];
        Assert.Equal(9, stream.WriteDataHeader(header, 5, endStream: false));
        Assert.Equal(Convert.FromHexString("000005000000000001"), header);

        peer.Send(TestFrame.DataOf(1, 0, endStream: true));
        Assert.Equal(Http2StreamState.HalfClosedRemote, stream.State);
        stream.WriteDataHeader(header, 0, endStream: true);
        Assert.Equal(Convert.FromHexString("000000000100000001"), header);
        Assert.Equal(["end 1", "closed 1"], peer.Events.TakeLog());
        Assert.Equal(0, peer.Connection.ActiveStreams);
    }

    [Theory]
    [InlineData(503)]
    [InlineData(401)]
    [InlineData(400)]
    public void Server_ErrorAnswerWhileRequestIsOpen_IsHeadersThenResetWithNoError(int status)
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Send(TestFrame.Connect(1));

        peer.Events.Streams[1].Respond(status, baggage: null, endStream: true);

        List<TestFrame> frames = peer.Read();
        Assert.Equal([TestFrame.Headers, TestFrame.RstStream], frames.Select(frame => frame.Type));
        Assert.Equal(TestFrame.EndStream | TestFrame.EndHeaders, frames[0].Flags);
        Assert.Equal([$":status: {status}"], peer.Fields(frames[0]));
        Assert.Equal((uint)Http2ErrorCode.NoError, frames[1].Code);
        Assert.Equal("closed 1", peer.Events.Log[^1]);

        // What the peer had sent before it knew is no error, and costs it no window.
        peer.Send(TestFrame.DataOf(1, 100), TestFrame.Reset(1, Http2ErrorCode.Cancel));
        Assert.Empty(peer.Read());
        Assert.False(peer.Connection.Result.IsClosed);
    }

    [Fact]
    public void Server_ErrorAnswerAfterRequestEnded_NeedsNoReset()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Send(TestFrame.Connect(1, endStream: true));

        peer.Events.Streams[1].Respond(503, baggage: null, endStream: true);

        Assert.Equal(TestFrame.Headers, peer.ReadOne().Type);
        Assert.Equal(["request 1 CONNECT 10.0.0.2:8080", "end 1", "closed 1"], peer.Events.Log);
    }

    [Fact]
    public void Server_ResetBeforeAnswer_MakesRespondWithoutEffect()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Send(TestFrame.Connect(1));
        peer.Send(TestFrame.Reset(1, Http2ErrorCode.Cancel));

        peer.Events.Streams[1].Respond(200, baggage: null, endStream: false);

        Assert.Empty(peer.Read());
        Assert.Equal(["request 1 CONNECT 10.0.0.2:8080", "reset 1 Cancel", "closed 1"], peer.Events.Log);
    }

    [Fact]
    public void Server_DataBeforeAnswerIsWritten_IsRefusedAsAMistakeOfTheOwner()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Send(TestFrame.Connect(1));
        Http2Stream stream = peer.Events.Streams[1];
        var header = new byte[9];

        Assert.Equal(0, stream.MaxDataPayload);
        Assert.Throws<InvalidOperationException>(() => stream.WriteDataHeader(header, 1, endStream: false));
        stream.Respond(200, baggage: null, endStream: false);
        Assert.Throws<InvalidOperationException>(() => stream.WriteDataHeader(header, 1, endStream: false));
        peer.ReadBytes();
        Assert.Equal(9, stream.WriteDataHeader(header, 1, endStream: false));
        Assert.Throws<InvalidOperationException>(() => stream.Respond(200, baggage: null, endStream: false));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.WriteDataHeader(header, stream.MaxDataPayload + 1, endStream: false));
    }

    [Fact]
    public void Client_Response200_OpensTheTunnel()
    {
        RawPeer peer = RawPeer.OfClient();
        Http2Stream stream = peer.Connect();
        peer.Forget();

        peer.Send(TestFrame.HeadersOf(1, endStream: false, (":status", "200"), ("baggage", "a=1"), ("x-other", "y"), ("baggage", "b=2")));

        Assert.Equal(new Http2Response(200, "a=1,b=2", EndStream: false), peer.Events.LastResponse);
        Assert.Equal(Http2StreamState.Open, stream.State);
        Assert.Empty(peer.Read());
    }

    [Theory]
    [InlineData("503", true)]
    [InlineData("503", false)]
    [InlineData("302", true)]
    [InlineData("204", false)]
    public void Client_OtherAnswer_ResetsTheStreamWithCancelAndKeepsTheConnection(string status, bool endStream)
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Connect();
        peer.Forget();

        peer.Send(TestFrame.HeadersOf(1, endStream, (":status", status)), TestFrame.Reset(1, Http2ErrorCode.NoError));

        peer.AssertReset(1, Http2ErrorCode.Cancel);
        Assert.Equal([$"response 1 {status}", "closed 1"], peer.Events.Log);
        Assert.True(peer.Connection.CanOpenStream);
    }

    [Fact]
    public void Client_InterimAnswers_AreSkipped()
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Connect();
        peer.Forget();

        peer.Send(TestFrame.HeadersOf(1, endStream: false, (":status", "100")), TestFrame.HeadersOf(1, endStream: false, (":status", "103")), TestFrame.Ok(1));

        Assert.Equal(["response 1 200"], peer.Events.Log);
    }

    [Fact]
    public void Client_Response200WithEndStream_IsATunnelWhosePeerSendsNothing()
    {
        RawPeer peer = RawPeer.OfClient();
        Http2Stream stream = peer.Connect();
        peer.Forget();

        peer.Send(TestFrame.Ok(1, endStream: true));

        Assert.Equal(["response 1 200", "end 1"], peer.Events.Log);
        Assert.Equal(9, stream.WriteDataHeader(new byte[9], 5, endStream: false));
    }

    public static TheoryData<string, string> BadAnswers => new()
    {
        { ":status", "20" }, { ":status", "2000" }, { ":status", "abc" }, { ":status", "000" }, { "x", "no status" }, { ":path", "/" }, { ":method", "CONNECT" },
    };

    [Theory]
    [MemberData(nameof(BadAnswers))]
    public void Rfc9113_8_3_2_MalformedAnswer_IsStreamError(string name, string value)
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Connect();
        peer.Forget();

        peer.Send(TestFrame.HeadersOf(1, endStream: false, (name, value)));

        peer.AssertReset(1, Http2ErrorCode.ProtocolError);
        Assert.Equal(["reset 1 ProtocolError by us", "closed 1"], peer.Events.Log);
    }

    [Fact]
    public void Rfc9113_8_1_DataBeforeTheAnswer_IsStreamError()
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Connect();
        peer.Forget();

        peer.Send(TestFrame.DataOf(1, 10));

        peer.AssertReset(1, Http2ErrorCode.ProtocolError);
    }

    [Theory]
    [InlineData(Http2Role.Client)]
    [InlineData(Http2Role.Server)]
    public void Trailers_EndTheStream(Http2Role role)
    {
        RawPeer peer = role == Http2Role.Server ? RawPeer.OfServer() : RawPeer.OfClient();
        Http2Stream stream = role == Http2Role.Server ? peer.Accept(1) : peer.Open();

        peer.Send(TestFrame.DataOf(1, 3), TestFrame.HeadersOf(1, endStream: true, ("x-trailer", "1")));

        Assert.Equal(["data 1 3", "end 1"], peer.Events.Log);
        Assert.Equal(Http2StreamState.HalfClosedRemote, stream.State);
    }

    [Theory]
    [InlineData(false, "x-trailer")]
    [InlineData(true, ":status")]
    public void Rfc9113_8_1_MalformedTrailers_AreStreamErrors(bool endStream, string name)
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);

        peer.Send(TestFrame.HeadersOf(1, endStream, (name, "200")));

        peer.AssertReset(1, Http2ErrorCode.ProtocolError);
    }

    [Fact]
    public void Rfc9113_5_1_DataAfterEndStream_IsStreamErrorStreamClosed()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);

        peer.Send(TestFrame.DataOf(1, 1, endStream: true), TestFrame.DataOf(1, 1));

        peer.AssertReset(1, Http2ErrorCode.StreamClosed);
    }

    [Fact]
    public void Rfc9113_5_1_HeadersOnAStreamBothSidesEnded_IsConnectionErrorStreamClosed()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);
        peer.Send(TestFrame.DataOf(1, 0, endStream: true));
        stream.WriteDataHeader(new byte[9], 0, endStream: true);

        peer.Send(TestFrame.HeadersOf(1, endStream: true, ("x", "1")));

        peer.AssertGoAway(Http2ErrorCode.StreamClosed);
    }

    [Fact]
    public void Rfc9113_5_1_FramesOnAStreamWeReset_AreIgnoredAndTheirBytesGivenBack()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);
        stream.Reset(Http2ErrorCode.Cancel);
        peer.Forget();

        for (int i = 0; i < 12; i++)
            peer.Send(TestFrame.DataOf(1, 1_000_000));
        peer.Send(TestFrame.HeadersOf(1, endStream: true, ("x", "1")), TestFrame.WindowUpdate(1, 1));

        TestFrame update = peer.ReadOne();
        Assert.Equal((TestFrame.WindowUpdateType, 0, 12_000_000), (update.Type, update.StreamId, update.Increment));
        Assert.Empty(peer.Events.Log);
    }

    [Fact]
    public void Reset_FromWithinOnData_DropsTheRestOfTheFrame()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        peer.Events.DataArrived = (stream, _) => stream.Reset(Http2ErrorCode.Cancel);
        byte[] data = TestFrame.DataOf(1, 100, endStream: true).ToBytes();

        peer.SendBytes(data[..50]);
        peer.SendBytes([.. data[50..], .. TestFrame.PingOf(7).ToBytes()]);

        Assert.Equal(["data 1 41", "closed 1"], peer.Events.Log);
        Assert.Equal([TestFrame.RstStream, TestFrame.Ping], peer.Read().Select(frame => frame.Type));
    }

    [Theory]
    [InlineData(Http2ErrorCode.NoError)]
    [InlineData(Http2ErrorCode.InternalError)]
    [InlineData((Http2ErrorCode)0x1234)]
    public void ResetByPeer_IsReportedWithItsCode(Http2ErrorCode code)
    {
        RawPeer peer = RawPeer.OfClient();
        Http2Stream stream = peer.Open();

        peer.Send(TestFrame.Reset(1, code));

        Assert.Equal([$"reset 1 {code}", "closed 1"], peer.Events.Log);
        Assert.True(stream.IsResetByPeer);
        Assert.Equal(0, stream.MaxDataPayload);
        Assert.Throws<InvalidOperationException>(() => stream.WriteDataHeader(new byte[9], 0, endStream: true));
    }

    [Fact]
    public void TakeStreams_WhenTheTransportIsLost_ClosesThemSilently()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        peer.Accept(3);

        Http2Stream[] streams = peer.Connection.TakeStreams();

        Assert.Equal([1, 3], streams.Select(stream => stream.Id).Order());
        Assert.All(streams, stream => Assert.Equal(Http2StreamState.Closed, stream.State));
        Assert.Empty(peer.Events.Log);
        Assert.Equal(0, peer.Connection.ActiveStreams);
    }

    [Fact]
    public void TakeStreams_FromWithinAnEvent_IsSafe()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        peer.Accept(3);
        peer.Events.WasReset = _ => peer.Connection.TakeStreams();

        peer.Send(TestFrame.Reset(1, Http2ErrorCode.Cancel));

        Assert.Equal(["reset 1 Cancel"], peer.Events.Log);
        Assert.Equal(0, peer.Connection.ActiveStreams);
    }
}
