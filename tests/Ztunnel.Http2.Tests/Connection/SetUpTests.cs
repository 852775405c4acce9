using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Connection;

/// <summary>The first frames of both roles (data-path 5.1, RFC 9113 3.4) and the header sections of a CONNECT (data-path 2.8).</summary>
public sealed class SetUpTests
{
    [Fact]
    public void Client_FirstFlight_IsPrefaceSettingsWindowAndConnect()
    {
        RawPeer peer = RawPeer.Unconnected(Http2Role.Client, Http2Settings.ForClient with { InitialStreamWindowBytes = 4 * 1024 * 1024 });
        peer.Connect();

        byte[] sent = peer.ReadBytes();

        Assert.Equal(TestFrame.Preface, sent[..24]);
        List<TestFrame> frames = TestFrame.ReadAll(sent.AsSpan(24));
        Assert.Equal(3, frames.Count);
        Assert.Equal(
            Convert.FromHexString("000018040000000000" + "000200000000" + "000400400000" + "000500100000" + "000600004000"),
            frames[0].ToBytes());
        Assert.Equal(Convert.FromHexString("000004080000000000" + "00ff0001"), frames[1].ToBytes());
        Assert.Equal((TestFrame.Headers, TestFrame.EndHeaders, 1), (frames[2].Type, frames[2].Flags, frames[2].StreamId));
        Assert.InRange(frames[2].Payload.Length, 150, 260);
    }

    [Fact]
    public void Server_FirstFlight_IsSettingsAtOnceAndWindowBehindThePreface()
    {
        RawPeer peer = RawPeer.Unconnected(Http2Role.Server, Http2Settings.ForServer with { InitialStreamWindowBytes = 4 * 1024 * 1024 });

        Assert.Equal(
            Convert.FromHexString("000018040000000000" + "0003000000c8" + "000400400000" + "000500100000" + "000600010000"),
            peer.ReadBytes());

        peer.SendBytes(TestFrame.Preface);
        Assert.Equal(Convert.FromHexString("000004080000000000" + "00ff0001"), peer.ReadBytes());

        peer.Send(TestFrame.Settings());
        Assert.Equal(Convert.FromHexString("000000040100000000"), peer.ReadBytes());
        Assert.Equal(["settings"], peer.Events.Log);
    }

    [Fact]
    public void Connect_Fields_AreInTheOrderOfThePeersAndNoOthers()
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Connect();

        Assert.Equal(
            [
                ":method: CONNECT",
                ":authority: 10.0.0.2:8080",
                "baggage: k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=client,service.name=client,service.version=v1",
                "forwarded: for=\"10.0.0.1:40000\";host=echo.default.svc.cluster.local",
                "traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-00",
            ],
            peer.Fields(peer.ReadOne()));
    }

    [Fact]
    public void Connect_InnerRequest_CarriesTheNetworkLastEvenWhenItIsEmpty()
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Connection.OpenStream(new ConnectRequest { Authority = "echo:80", Baggage = "", Forwarded = "for=\"[::1]:80\"", TraceParent = "t", ForwardedNetwork = "" }, owner: null);

        Assert.Equal(
            [":method: CONNECT", ":authority: echo:80", "baggage: ", "forwarded: for=\"[::1]:80\"", "traceparent: t", "x-forwarded-network: "],
            peer.Fields(peer.ReadOne()));
    }

    [Fact]
    public void Connect_ControlCharactersInValues_AreLeftOut()
    {
        RawPeer peer = RawPeer.OfClient();
        peer.Connection.OpenStream(new ConnectRequest { Authority = "a:1", Baggage = "x=1\r\nevil: 2\0", Forwarded = "", TraceParent = "" }, owner: null);

        Assert.Contains("baggage: x=1evil: 2", peer.Fields(peer.ReadOne()));
    }

    [Fact]
    public void Connect_SectionAboveThePeersFrameSize_GoesOnInContinuations()
    {
        RawPeer peer = RawPeer.OfClient();
        var baggage = new string('~', 40_000);    // 13 bits each in Huffman code: stays plain
        peer.Connection.OpenStream(new ConnectRequest { Authority = "a:1", Baggage = baggage, Forwarded = "f", TraceParent = "t" }, owner: null);

        List<TestFrame> frames = peer.Read();

        Assert.Equal([TestFrame.Headers, TestFrame.Continuation, TestFrame.Continuation], frames.Select(frame => frame.Type));
        Assert.Equal([0, 0, TestFrame.EndHeaders], frames.Select(frame => frame.Flags));
        Assert.All(frames, frame => Assert.InRange(frame.Payload.Length, 1, 16_384));
        var whole = frames[0] with { Payload = [.. frames.SelectMany(frame => frame.Payload)] };
        Assert.Contains("baggage: " + baggage, peer.Fields(whole));
    }

    /// <summary>RFC 7541 4.2: a lowered table must be acknowledged at the start of the next section.</summary>
    [Fact]
    public void Connect_AfterPeerLoweredItsTable_BeginsWithTableSizeZeroOnce()
    {
        RawPeer peer = RawPeer.OfClient(null, (1, 100));
        peer.Connect();
        peer.Connect();

        List<TestFrame> frames = peer.Read();

        Assert.Equal(0x20, frames[0].Payload[0]);
        Assert.NotEqual(0x20, frames[1].Payload[0]);
    }

    [Fact]
    public void Server_WrongPreface_IsClosedWithoutGoAway()
    {
        RawPeer peer = RawPeer.Unconnected(Http2Role.Server);
        peer.Forget();

        Http2ReceiveResult result = peer.SendBytes("GET / HTTP/1.1\r\n\r\n"u8.ToArray());

        Assert.True(result.IsClosed);
        Assert.False(peer.Connection.HasControlOutput);
    }

    [Theory]
    [InlineData(Http2Role.Client)]
    [InlineData(Http2Role.Server)]
    public void Rfc9113_3_4_FirstFrameThatIsNotSettings_IsConnectionError(Http2Role role)
    {
        RawPeer peer = RawPeer.Unconnected(role);
        if (role == Http2Role.Server)
            peer.SendBytes(TestFrame.Preface);
        peer.ReadBytes();

        peer.Send(TestFrame.PingOf(1));

        peer.AssertGoAway(Http2ErrorCode.ProtocolError);
    }

    [Fact]
    public void WriteControl_DestinationSmallerThanAFrame_CutsItAndGoesOn()
    {
        RawPeer peer = RawPeer.Unconnected(Http2Role.Client);
        peer.Connect();
        byte[] expected = RawPeer.Unconnected(Http2Role.Client).ReadBytes();
        var sent = new List<byte>();
        var small = new byte[7];

        while (peer.Connection.HasControlOutput)
            sent.AddRange(small.AsSpan(0, peer.Connection.WriteControl(small)));

        Assert.Equal(expected, sent[..expected.Length]);
        Assert.Equal(3, TestFrame.ReadAll(sent.ToArray().AsSpan(24)).Count);
    }

    [Fact]
    public void WriteControl_DestinationForSomeFrames_TakesWholeOnesOnly()
    {
        RawPeer peer = RawPeer.OfServer();
        for (ulong i = 0; i < 3; i++)
            peer.Send(TestFrame.PingOf(i));
        var buffer = new byte[17 + 16];

        Assert.Equal(17, peer.Connection.WriteControl(buffer));
        Assert.Equal(17, peer.Connection.WriteControl(buffer));
        Assert.Equal(17, peer.Connection.WriteControl(buffer));
        Assert.False(peer.Connection.HasControlOutput);
    }
}
