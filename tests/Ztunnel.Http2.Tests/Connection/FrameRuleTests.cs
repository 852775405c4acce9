using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Connection;

/// <summary>RFC 9113 sections 4 to 6, frame by frame: what ends the connection, what ends a stream, what is ignored.</summary>
public sealed class FrameRuleTests
{
    private static readonly byte[] FourBytes = [0, 0, 0, 1];

    public static TheoryData<string, Http2ErrorCode, byte[]> ConnectionErrors()
    {
        var data = new TheoryData<string, Http2ErrorCode, byte[]>();
        void Add(string name, Http2ErrorCode code, params TestFrame[] frames) => data.Add(name, code, [.. frames.SelectMany(frame => frame.ToBytes())]);

        Add("4.2 frame above MAX_FRAME_SIZE", Http2ErrorCode.FrameSizeError, TestFrame.DataOf(1, (1024 * 1024) + 1));
        Add("4.3 bad header block", Http2ErrorCode.CompressionError, new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 3, [0x80]));
        Add("4.3 header block interrupted by another frame", Http2ErrorCode.ProtocolError, new TestFrame(TestFrame.Headers, 0, 3, []), TestFrame.PingOf(1));
        Add("4.3 header block interrupted by another stream", Http2ErrorCode.ProtocolError, new TestFrame(TestFrame.Headers, 0, 3, []), new TestFrame(TestFrame.Continuation, 4, 5, []));
        Add("5.1 DATA on idle stream", Http2ErrorCode.ProtocolError, TestFrame.DataOf(3, 1));
        Add("5.1 WINDOW_UPDATE on idle stream", Http2ErrorCode.ProtocolError, TestFrame.WindowUpdate(3, 1));
        Add("5.1 RST_STREAM on idle stream", Http2ErrorCode.ProtocolError, TestFrame.Reset(3, Http2ErrorCode.Cancel));
        Add("5.1.1 even stream", Http2ErrorCode.ProtocolError, TestFrame.Connect(2));
        Add("5.1.1 lower stream than before, never used", Http2ErrorCode.ProtocolError, TestFrame.Connect(7), TestFrame.Connect(5));
        Add("6.1 DATA on the connection", Http2ErrorCode.ProtocolError, TestFrame.DataOf(0, 1));
        Add("6.1 padding as long as the frame", Http2ErrorCode.ProtocolError, new TestFrame(TestFrame.Data, TestFrame.Padded, 1, [3, 0, 0]));
        Add("6.1 padded DATA without length", Http2ErrorCode.FrameSizeError, new TestFrame(TestFrame.Data, TestFrame.Padded, 1, []));
        Add("6.2 HEADERS on the connection", Http2ErrorCode.ProtocolError, TestFrame.Connect(0));
        Add("6.2 padding as long as the frame", Http2ErrorCode.ProtocolError, new TestFrame(TestFrame.Headers, TestFrame.Padded | TestFrame.EndHeaders, 3, [2, 0]));
        Add("6.2 HEADERS shorter than priority", Http2ErrorCode.FrameSizeError, new TestFrame(TestFrame.Headers, TestFrame.PriorityFlag | TestFrame.EndHeaders, 3, [0, 0]));
        Add("6.3 PRIORITY on the connection", Http2ErrorCode.ProtocolError, new TestFrame(TestFrame.Priority, 0, 0, new byte[5]));
        Add("6.4 RST_STREAM length", Http2ErrorCode.FrameSizeError, new TestFrame(TestFrame.RstStream, 0, 1, [0, 0, 0]));
        Add("6.4 RST_STREAM on the connection", Http2ErrorCode.ProtocolError, TestFrame.Reset(0, Http2ErrorCode.Cancel));
        Add("6.5 SETTINGS on a stream", Http2ErrorCode.ProtocolError, TestFrame.Settings() with { StreamId = 1 });
        Add("6.5 SETTINGS length", Http2ErrorCode.FrameSizeError, new TestFrame(TestFrame.SettingsType, 0, 0, new byte[5]));
        Add("6.5 SETTINGS ACK with payload", Http2ErrorCode.FrameSizeError, new TestFrame(TestFrame.SettingsType, TestFrame.Ack, 0, new byte[6]));
        Add("6.5.2 ENABLE_PUSH 2", Http2ErrorCode.ProtocolError, TestFrame.Settings((2, 2)));
        Add("6.5.2 INITIAL_WINDOW_SIZE 2^31", Http2ErrorCode.FlowControlError, TestFrame.Settings((4, 0x8000_0000)));
        Add("6.5.2 MAX_FRAME_SIZE 16383", Http2ErrorCode.ProtocolError, TestFrame.Settings((5, 16_383)));
        Add("6.5.2 MAX_FRAME_SIZE 2^24", Http2ErrorCode.ProtocolError, TestFrame.Settings((5, 1 << 24)));
        Add("6.6 PUSH_PROMISE", Http2ErrorCode.ProtocolError, new TestFrame(TestFrame.PushPromise, TestFrame.EndHeaders, 1, FourBytes));
        Add("6.7 PING on a stream", Http2ErrorCode.ProtocolError, TestFrame.PingOf(1) with { StreamId = 1 });
        Add("6.7 PING length", Http2ErrorCode.FrameSizeError, new TestFrame(TestFrame.Ping, 0, 0, new byte[7]));
        Add("6.8 GOAWAY on a stream", Http2ErrorCode.ProtocolError, TestFrame.GoAway(0, Http2ErrorCode.NoError) with { StreamId = 1 });
        Add("6.8 GOAWAY length", Http2ErrorCode.FrameSizeError, new TestFrame(TestFrame.GoAwayType, 0, 0, new byte[7]));
        Add("6.9 WINDOW_UPDATE of 0 on the connection", Http2ErrorCode.ProtocolError, TestFrame.WindowUpdate(0, 0));
        Add("6.9 WINDOW_UPDATE length", Http2ErrorCode.FrameSizeError, new TestFrame(TestFrame.WindowUpdateType, 0, 0, new byte[3]));
        Add("6.9.1 connection window above 2^31-1", Http2ErrorCode.FlowControlError, TestFrame.WindowUpdate(0, int.MaxValue));
        Add("6.9.2 initial window overflows a stream", Http2ErrorCode.FlowControlError, TestFrame.WindowUpdate(1, 0x7fff_0000), TestFrame.Settings((4, 131_072)));
        Add("6.10 CONTINUATION without HEADERS", Http2ErrorCode.ProtocolError, new TestFrame(TestFrame.Continuation, TestFrame.EndHeaders, 1, []));
        return data;
    }

    [Theory]
    [MemberData(nameof(ConnectionErrors))]
    public void Server_ConnectionError(string rule, Http2ErrorCode code, byte[] frames)
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);

        Http2ReceiveResult result = peer.SendBytes(frames);

        Assert.True(result.IsClosed, rule);
        peer.AssertGoAway(code);
        Assert.Equal(result, peer.Send(TestFrame.Connect(101)));
        Assert.False(peer.Connection.HasControlOutput);
    }

    [Theory]
    [MemberData(nameof(ConnectionErrors))]
    public void Server_ConnectionErrorByteByByte_IsTheSame(string rule, Http2ErrorCode code, byte[] frames)
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);
        foreach (byte b in frames.Take(150))
            peer.SendBytes([b]);

        Assert.True(peer.Connection.Result.IsClosed, rule);
        peer.AssertGoAway(code);
    }

    public static TheoryData<string, Http2ErrorCode, byte[]> ClientConnectionErrors()
    {
        var data = new TheoryData<string, Http2ErrorCode, byte[]>();
        void Add(string name, Http2ErrorCode code, params TestFrame[] frames) => data.Add(name, code, [.. frames.SelectMany(frame => frame.ToBytes())]);

        Add("5.1 HEADERS on idle stream", Http2ErrorCode.ProtocolError, TestFrame.Ok(3));
        Add("5.1.1 HEADERS on even stream", Http2ErrorCode.ProtocolError, TestFrame.Ok(2));
        Add("5.1 DATA on idle stream", Http2ErrorCode.ProtocolError, TestFrame.DataOf(3, 1));
        Add("6.5.2 ENABLE_PUSH from a server", Http2ErrorCode.ProtocolError, TestFrame.Settings((2, 1)));
        Add("8.4 PUSH_PROMISE", Http2ErrorCode.ProtocolError, new TestFrame(TestFrame.PushPromise, TestFrame.EndHeaders, 1, FourBytes));
        return data;
    }

    [Theory]
    [MemberData(nameof(ClientConnectionErrors))]
    public void Client_ConnectionError(string rule, Http2ErrorCode code, byte[] frames)
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Open();

        peer.SendBytes(frames);

        Assert.True(peer.Connection.Result.IsClosed, rule);
        peer.AssertGoAway(code);
    }

    public static TheoryData<string, Http2ErrorCode, byte[]> StreamErrors()
    {
        var data = new TheoryData<string, Http2ErrorCode, byte[]>();
        void Add(string name, Http2ErrorCode code, params TestFrame[] frames) => data.Add(name, code, [.. frames.SelectMany(frame => frame.ToBytes())]);

        Add("6.3 PRIORITY length", Http2ErrorCode.FrameSizeError, new TestFrame(TestFrame.Priority, 0, 1, new byte[4]));
        Add("6.9 WINDOW_UPDATE of 0", Http2ErrorCode.ProtocolError, TestFrame.WindowUpdate(1, 0));
        Add("6.9.1 stream window above 2^31-1", Http2ErrorCode.FlowControlError, TestFrame.WindowUpdate(1, int.MaxValue));
        Add("6.9.1 DATA above the stream window", Http2ErrorCode.FlowControlError, TestFrame.DataOf(1, (256 * 1024) + 1));
        return data;
    }

    [Theory]
    [MemberData(nameof(StreamErrors))]
    public void Server_StreamError(string rule, Http2ErrorCode code, byte[] frames)
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);

        peer.SendBytes(frames);

        peer.AssertReset(1, code);
        Assert.True(peer.Events.Log is [.., _, "closed 1"], rule);
    }

    [Fact]
    public void Rfc9113_4_1_UnknownFrames_AreIgnored()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);

        peer.Send(
            new TestFrame(0x10, 0xff, 0, new byte[1_000]),
            new TestFrame(0xfa, 0, 1, []),
            new TestFrame(TestFrame.Priority, 0, 1, new byte[5]),
            new TestFrame(TestFrame.Priority, 0, 99, new byte[5]),
            TestFrame.Settings((0x77, 5)),
            TestFrame.DataOf(1, 1));

        Assert.Equal(["settings", "data 1 1"], peer.Events.Log);
    }

    [Fact]
    public void Rfc9113_6_7_Ping_IsAnsweredWithItsData()
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(TestFrame.PingOf(0x0123456789abcdef));

        Assert.Equal(TestFrame.PingOf(0x0123456789abcdef, ack: true).ToBytes(), peer.ReadBytes());
    }

    [Fact]
    public void Rfc9113_6_2_PaddedHeadersWithPriority_AreRead()
    {
        RawPeer peer = RawPeer.OfServer();
        byte[] fields = TestFrame.Fields((":method", "CONNECT"), (":authority", "a:1"));

        peer.Send(new TestFrame(TestFrame.Headers, TestFrame.Padded | TestFrame.PriorityFlag | TestFrame.EndHeaders, 1, [3, 0, 0, 0, 0, 9, .. fields, 0, 0, 0]));

        Assert.Equal(["request 1 CONNECT a:1"], peer.Events.Log);
    }

    [Fact]
    public void Rfc9113_6_10_SectionOverContinuations_IsReadOnceComplete()
    {
        RawPeer peer = RawPeer.OfServer();
        byte[] fields = TestFrame.Fields((":method", "CONNECT"), (":authority", "a:1"), ("baggage", "k=v"));

        peer.Send(
            new TestFrame(TestFrame.Headers, TestFrame.EndStream, 1, fields[..7]),
            new TestFrame(TestFrame.Continuation, 0, 1, []),
            new TestFrame(TestFrame.Continuation, TestFrame.EndHeaders, 1, fields[7..]));

        Assert.Equal(["request 1 CONNECT a:1", "end 1"], peer.Events.Log);
        Assert.Equal("k=v", peer.Events.LastRequest.Baggage);
    }

    [Fact]
    public void Rfc9113_6_1_PaddedData_ReportsPayloadOnlyAndEnds()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);

        peer.Send(
            new TestFrame(TestFrame.Data, TestFrame.Padded, 1, [5, .. "hello"u8, 0, 0, 0, 0, 0]),
            new TestFrame(TestFrame.Data, TestFrame.Padded, 1, [2, 0, 0]),
            new TestFrame(TestFrame.Data, TestFrame.Padded | TestFrame.EndStream, 1, [0, .. "!"u8]));

        Assert.Equal(["data 1 5", "data 1 1", "end 1"], peer.Events.Log);
        Assert.Equal("hello!"u8.ToArray(), peer.Events.Received[1].ToArray());
        Assert.Equal(6, peer.Events.Streams[1].UnconsumedBytes);
    }
}
