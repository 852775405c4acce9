using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Conformance;

/// <summary>RFC 9113 section 8 where no other test holds it.</summary>
public sealed class HttpSemanticsTests
{
    [Fact]
    public void Rfc9113_8_1_TrailersWithPseudoFields_AreStreamErrors()
    {
        foreach (string name in (string[])[":method", ":status", ":authority", ":x"])
        {
            RawPeer peer = RawPeer.OfServer();
            peer.Accept(1);

            peer.Send(TestFrame.HeadersOf(1, endStream: true, (name, "a")));

            peer.AssertReset(1, Http2ErrorCode.ProtocolError);
        }
    }

    [Fact]
    public void Rfc9113_8_1_1_MalformedRequest_ReachesNobody()
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(TestFrame.HeadersOf(1, endStream: true, (":method", "CONNECT"), (":authority", "a:1"), ("connection", "x")), TestFrame.DataOf(1, 10));

        Assert.Empty(peer.Events.Log);
        Assert.Equal(0, peer.Connection.ActiveStreams);
    }

    [Theory]
    [InlineData((byte)'A')]
    [InlineData((byte)'Z')]
    [InlineData((byte)' ')]
    [InlineData((byte)':')]
    [InlineData((byte)0)]
    [InlineData((byte)0x1f)]
    [InlineData((byte)0x7f)]
    [InlineData((byte)0x80)]
    [InlineData((byte)0xff)]
    public void Rfc9113_8_2_1_NameWithAForbiddenByte_IsRefused(byte forbidden)
    {
        RawPeer peer = RawPeer.OfServer();
        byte[] fields = [.. TestFrame.Fields((":method", "CONNECT"), (":authority", "a:1")), 0, 3, (byte)'x', forbidden, (byte)'y', 1, (byte)'v'];

        peer.Send(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 1, fields));

        peer.AssertGoAway(Http2ErrorCode.ProtocolError);
        Assert.Empty(peer.Events.Log);
    }

    [Theory]
    [InlineData("a\0b")]
    [InlineData("a\nb")]
    [InlineData("a\rb")]
    [InlineData(" a")]
    [InlineData("\ta")]
    [InlineData("a ")]
    [InlineData("a\t")]
    [InlineData(" ")]
    public void Rfc9113_8_2_1_ValueThatIsForbidden_IsMalformed(string value)
    {
        RawPeer server = RawPeer.OfServer();
        server.Send(TestFrame.HeadersOf(1, endStream: false, (":method", "CONNECT"), (":authority", "a:1"), ("x", value)));
        server.AssertReset(1, Http2ErrorCode.ProtocolError);

        RawPeer client = RawPeer.OfClient();
        client.Connect();
        client.Forget();
        client.Send(TestFrame.HeadersOf(1, endStream: false, (":status", "200"), ("baggage", value)));
        client.AssertReset(1, Http2ErrorCode.ProtocolError);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b\tc")]
    [InlineData("\u0080\u00ff")]
    public void Rfc9113_8_2_1_ValueThatIsAllowed_Passes(string value)
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(TestFrame.HeadersOf(1, endStream: false, (":method", "CONNECT"), (":authority", "a:1"), ("x", value)));

        Assert.Equal(["request 1 CONNECT a:1"], peer.Events.Log);
    }

    [Fact]
    public void Rfc9113_8_2_1_WhatWeSend_HasNoControlsAndNoSpacesAround()
    {
        RawPeer client = RawPeer.OfClient();
        client.Connection.OpenStream(
            new ConnectRequest { Authority = " a:1\r\n", Baggage = "\t k=v \t", Forwarded = " \0 ", TraceParent = "00-1-2-00" }, owner: null);
        Assert.Equal([":method: CONNECT", ":authority: a:1", "baggage: k=v", "forwarded: ", "traceparent: 00-1-2-00"], client.Fields(client.ReadOne()));

        RawPeer server = RawPeer.OfServer();
        server.Send(TestFrame.Connect(1));
        server.Events.Streams[1].Respond(200, " name=x ", endStream: false);
        Assert.Equal([":status: 200", "baggage: name=x"], server.Fields(server.ReadOne()));
    }

    [Theory]
    [InlineData("connection")]
    [InlineData("keep-alive")]
    [InlineData("proxy-connection")]
    [InlineData("transfer-encoding")]
    [InlineData("upgrade")]
    public void Rfc9113_8_2_2_ConnectionSpecificFieldOfAnAnswer_IsMalformed(string name)
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Connect();
        peer.Forget();

        peer.Send(TestFrame.HeadersOf(1, endStream: false, (":status", "200"), (name, "x")));

        peer.AssertReset(1, Http2ErrorCode.ProtocolError);
    }

    public static TheoryData<string[]> AnswersWithWrongPseudoFields() =>
    [
        [":status", "200", ":status", "200"],
        [":status", "200", ":status", "503"],
        ["x", "1", ":status", "200"],
        [":status", "200", ":what", "x"],
        [":status", "200", ":scheme", "https"],
        [":status", "200", ":authority", "a:1"],
        [":status", ""],
        [":status", "+20"],
        [":status", "2 0"],
    ];

    [Theory]
    [MemberData(nameof(AnswersWithWrongPseudoFields))]
    public void Rfc9113_8_3_PseudoFieldsOfAnAnswer_AreOneStatusInFront(string[] fields)
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Connect();
        peer.Forget();

        peer.Send(TestFrame.HeadersOf(1, endStream: false, [.. fields.Chunk(2).Select(static pair => (pair[0], pair[1]))]));

        peer.AssertReset(1, Http2ErrorCode.ProtocolError);
        Assert.Equal(["reset 1 ProtocolError by us", "closed 1"], peer.Events.Log);
    }

    [Fact]
    public void Rfc9113_8_5_Connect_HasNeitherSchemeNorPath()
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Connect();

        List<string> fields = peer.Fields(peer.ReadOne());

        Assert.Equal([":method: CONNECT", ":authority: 10.0.0.2:8080"], fields.Where(static field => field[0] == ':'));
    }

    [Fact]
    public void Rfc9113_8_5_BehindTheAnswer_OnlyDataAndStreamManagementPass()
    {
        foreach (byte type in (byte[])[TestFrame.Headers, TestFrame.PushPromise, TestFrame.Continuation])
        {
            RawPeer peer = RawPeer.OfServer();
            peer.Accept(1);

            // Trailers that end the stream are taken for its end (data-path 5.4); any other frame is an error.
            peer.Send(new TestFrame(type, TestFrame.EndHeaders, 1, TestFrame.Fields(("x", "1"))));

            if (type == TestFrame.Headers)
                peer.AssertReset(1, Http2ErrorCode.ProtocolError);
            else
                peer.AssertGoAway(Http2ErrorCode.ProtocolError);
        }
    }

    [Fact]
    public void Rfc9113_8_7_RefusedStream_WasSeenByNobody()
    {
        RawPeer peer = RawPeer.OfServer(Http2Settings.ForServer with { MaxConcurrentStreams = 1 });
        peer.Accept(1);

        peer.Send(TestFrame.Connect(3), TestFrame.DataOf(3, 10, endStream: true));

        peer.AssertReset(3, Http2ErrorCode.RefusedStream);
        Assert.Empty(peer.Events.Log);
    }
}
