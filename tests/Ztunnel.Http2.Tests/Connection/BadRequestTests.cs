using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Connection;

/// <summary>What the HTTP/2 layer answers before any of our own rules are asked (table of data-path 3.2).</summary>
public sealed class BadRequestTests
{
    public static TheoryData<string, string[]> ResetRequests => new()
    {
        { "CONNECT with :scheme and :path", [":method", "CONNECT", ":scheme", "http", ":authority", "10.0.0.2:1", ":path", "/"] },
        { "CONNECT with :path", [":method", "CONNECT", ":authority", "10.0.0.2:1", ":path", "/"] },
        { "extended CONNECT", [":method", "CONNECT", ":protocol", "connect-tcp", ":scheme", "https", ":authority", "10.0.0.2:1", ":path", "/"] },
        { "GET without :scheme and :path", [":method", "GET", ":authority", "10.0.0.2:1"] },
        { "no :method", [":authority", "10.0.0.2:1"] },
        { "empty :method", [":method", "", ":authority", "10.0.0.2:1"] },
        { "empty :authority", [":method", "CONNECT", ":authority", ""] },
        { "two :authority", [":method", "CONNECT", ":authority", "10.0.0.2:1", ":authority", "10.0.0.3:1"] },
        { "two :method", [":method", "CONNECT", ":method", "CONNECT", ":authority", "10.0.0.2:1"] },
        { ":status in a request", [":method", "CONNECT", ":status", "200", ":authority", "10.0.0.2:1"] },
        { "unknown pseudo header", [":method", "CONNECT", ":authority", "10.0.0.2:1", ":what", "x"] },
        { "pseudo header behind a field", [":method", "CONNECT", "x", "1", ":authority", "10.0.0.2:1"] },
        { "connection", [":method", "CONNECT", ":authority", "10.0.0.2:1", "connection", "close"] },
        { "keep-alive", [":method", "CONNECT", ":authority", "10.0.0.2:1", "keep-alive", "1"] },
        { "proxy-connection", [":method", "CONNECT", ":authority", "10.0.0.2:1", "proxy-connection", "close"] },
        { "transfer-encoding", [":method", "CONNECT", ":authority", "10.0.0.2:1", "transfer-encoding", "chunked"] },
        { "upgrade", [":method", "CONNECT", ":authority", "10.0.0.2:1", "upgrade", "x"] },
        { "te other than trailers", [":method", "CONNECT", ":authority", "10.0.0.2:1", "te", "gzip"] },
        { "CR in a value", [":method", "CONNECT", ":authority", "10.0.0.2:1", "x", "a\rb"] },
        { "space in front of a value", [":method", "CONNECT", ":authority", "10.0.0.2:1", "x", " a"] },
        { "tab behind a value", [":method", "CONNECT", ":authority", "10.0.0.2:1", "x", "a\t"] },
        { "space behind :authority", [":method", "CONNECT", ":authority", "10.0.0.2:1 "] },
        { "NUL in :authority", [":method", "CONNECT", ":authority", "10.0.0.2\0:1"] },
    };

    [Theory]
    [MemberData(nameof(ResetRequests))]
    public void MalformedRequest_IsResetWithProtocolError(string what, string[] fields)
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(TestFrame.HeadersOf(1, endStream: false, Pairs(fields)));

        peer.AssertReset(1, Http2ErrorCode.ProtocolError);
        Assert.True(peer.Events.Log.Count == 0, what);
        peer.Send(TestFrame.Connect(3));
        Assert.Equal(["request 3 CONNECT 10.0.0.2:8080"], peer.Events.Log);
    }

    public static TheoryData<string, string, string[]> OwnersMatter => new()
    {
        { "CONNECT", "", [":method", "CONNECT"] },
        { "CONNECT", "", [":method", "CONNECT", "host", "10.0.0.2:8080"] },
        { "CONNECT", "10.0.0.2", [":method", "CONNECT", ":authority", "10.0.0.2"] },
        { "CONNECT", "u@10.0.0.2:abc", [":method", "CONNECT", ":authority", "u@10.0.0.2:abc"] },
        { "CONNECT", "b:1", [":authority", "b:1", ":method", "CONNECT", "te", "trailers", "x-extra", "1"] },
        { "GET", "10.0.0.2:1", [":method", "GET", ":scheme", "http", ":authority", "10.0.0.2:1", ":path", "/"] },
        { "POST", "10.0.0.2:1", [":method", "POST", ":scheme", "https", ":authority", "10.0.0.2:1", ":path", "/x"] },
    };

    /// <summary>Well formed, so the owner decides: 400 with its own log line.</summary>
    [Theory]
    [MemberData(nameof(OwnersMatter))]
    public void WellFormedButUnusualRequest_IsReported(string method, string authority, string[] fields)
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(TestFrame.HeadersOf(1, endStream: false, Pairs(fields)));

        Assert.Equal((method, authority), (peer.Events.LastRequest.Method, peer.Events.LastRequest.Authority));
        Assert.Empty(peer.Read());
    }

    [Fact]
    public void Request_AllWantedFields_AreReported()
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(TestFrame.HeadersOf(
            1,
            endStream: true,
            (":method", "CONNECT"), (":authority", "10.0.0.2:8080"), ("baggage", "a=1"), ("forwarded", "for=\"10.0.0.1:1\""), ("forwarded", "second"),
            ("traceparent", "00-1-2-00"), ("x-forwarded-network", "net2"), ("baggage", "b=2")));

        Assert.Equal(
            new Http2Request
            {
                Method = "CONNECT",
                Authority = "10.0.0.2:8080",
                Baggage = "a=1,b=2",
                Forwarded = "for=\"10.0.0.1:1\"",
                TraceParent = "00-1-2-00",
                ForwardedNetwork = "net2",
                EndStream = true,
            },
            peer.Events.LastRequest);
    }

    [Theory]
    [InlineData("baggage", "k=\u00ff\u00fe", "k=v")]
    [InlineData("baggage", "k=v", "k=\u0001")]
    public void Baggage_OneLineIsNotVisibleAscii_MakesAllOfItAbsent(string name, string first, string second)
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(TestFrame.HeadersOf(1, endStream: false, (":method", "CONNECT"), (":authority", "a:1"), (name, first), (name, second), ("forwarded", "\u00fc")));

        Assert.Null(peer.Events.LastRequest.Baggage);
        Assert.Null(peer.Events.LastRequest.Forwarded);
    }

    [Theory]
    [InlineData("X-Foo")]
    [InlineData("x foo")]
    [InlineData("")]
    [InlineData("x\u00fc")]
    public void InvalidHeaderName_IsConnectionError(string name)
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Accept(1);

        peer.Send(TestFrame.HeadersOf(3, endStream: false, (":method", "CONNECT"), (":authority", "a:1"), (name, "1")));

        TestFrame goAway = peer.ReadOne();
        Assert.Equal(TestFrame.GoAwayType, goAway.Type);
        Assert.Equal(1, goAway.LastStreamId);
        Assert.Equal((uint)Http2ErrorCode.ProtocolError, goAway.Code);
    }

    [Fact]
    public void HeaderListAboveTheLimit_Is431ThenReset()
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(TestFrame.HeadersOf(1, endStream: false, (":method", "CONNECT"), (":authority", "a:1"), ("x", new string('a', 70_000))));

        List<TestFrame> frames = peer.Read();
        Assert.Equal([TestFrame.Headers, TestFrame.RstStream], frames.Select(frame => frame.Type));
        Assert.Equal(TestFrame.EndStream | TestFrame.EndHeaders, frames[0].Flags);
        Assert.Equal([":status: 431"], peer.Fields(frames[0]));
        Assert.Equal((uint)Http2ErrorCode.ProtocolError, frames[1].Code);
        Assert.Empty(peer.Events.Log);
        peer.Send(TestFrame.Connect(3));
        Assert.Single(peer.Events.Log);
    }

    [Fact]
    public void HeaderListAboveTheLimit_StillFeedsTheTable()
    {
        RawPeer peer = RawPeer.OfServer();
        byte[] large = TestFrame.Fields((":method", "CONNECT"), (":authority", "a:1"), ("x", new string('a', 70_000)));
        byte[] indexed = [0x41, 3, .. "b:2"u8];
        peer.Send(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 1, [.. large, .. indexed]));
        peer.Forget();

        peer.Send(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 3, [.. TestFrame.Fields((":method", "CONNECT")), 0xbe]));

        Assert.Equal(["request 3 CONNECT b:2"], peer.Events.Log);
    }

    [Fact]
    public void ClientHeaderListAboveTheLimit_IsStreamError()
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Connect();
        peer.Forget();

        peer.Send(TestFrame.HeadersOf(1, endStream: false, (":status", "200"), ("x", new string('a', 17_000))));

        peer.AssertReset(1, Http2ErrorCode.ProtocolError);
    }

    [Fact]
    public void StreamsAboveTheAnnouncedLimit_AreRefused()
    {
        RawPeer peer = RawPeer.OfServer();
        peer.Send([.. Enumerable.Range(0, 210).Select(i => TestFrame.Connect((2 * i) + 1))]);

        List<TestFrame> refused = peer.Read();

        Assert.Equal(200, peer.Connection.ActiveStreams);
        Assert.Equal(Enumerable.Range(200, 10).Select(i => (2 * i) + 1), refused.Select(frame => frame.StreamId));
        Assert.All(refused, frame => Assert.Equal((uint)Http2ErrorCode.RefusedStream, frame.Code));

        peer.Send(TestFrame.Reset(1, Http2ErrorCode.Cancel), TestFrame.Connect(421));
        Assert.Equal(200, peer.Connection.ActiveStreams);
    }

    private static (string Name, string Value)[] Pairs(string[] fields) => [.. fields.Chunk(2).Select(pair => (pair[0], pair[1]))];
}
