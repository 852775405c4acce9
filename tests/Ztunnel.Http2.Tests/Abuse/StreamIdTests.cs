using System.Runtime.CompilerServices;
using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Abuse;

/// <summary>Identifiers that run out, jump, or belong to the other side.</summary>
public sealed class StreamIdTests
{
    private const int LastClientId = int.MaxValue;

    [Fact]
    public void Client_BehindItsLastIdentifier_OpensNoMoreAndKeepsTheOneItHas()
    {
        RawPeer peer = RawPeer.OfClient();
        NextStreamId(peer.Connection) = LastClientId;

        Http2Stream last = peer.Open();

        Assert.Equal(LastClientId, last.Id);
        Assert.False(peer.Connection.CanOpenStream);
        Assert.Null(peer.Connection.OpenStream(RawPeer.Request(), owner: null));
        peer.Send(TestFrame.DataOf(LastClientId, 3, endStream: true));
        Assert.Equal($"end {LastClientId}", peer.Events.Log[^1]);
        last.WriteDataHeader(new byte[9], 0, endStream: true);
        Assert.Equal(0, peer.Connection.ActiveStreams);
        Assert.False(peer.Connection.Result.IsClosed);
    }

    [Fact]
    public void Server_PeerJumpsToTheLastIdentifier_IsServedOnceAndThenRefused()
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(TestFrame.Connect(LastClientId));
        Assert.Equal(1, peer.Connection.ActiveStreams);
        peer.Send(TestFrame.Connect(1));

        peer.AssertGoAway(Http2ErrorCode.ProtocolError);
    }

    [Fact]
    public void Server_PeerUsesTheReservedBit_IsReadWithoutIt()
    {
        RawPeer peer = RawPeer.OfServer();
        byte[] connect = TestFrame.Connect(1).ToBytes();
        connect[5] |= 0x80;

        peer.SendBytes(connect);

        Assert.Equal(["request 1 CONNECT 10.0.0.2:8080"], peer.Events.Log);
    }

    public static TheoryData<string, Http2Role, Http2ErrorCode, byte[]> WrongStreams()
    {
        var data = new TheoryData<string, Http2Role, Http2ErrorCode, byte[]>();
        foreach (Http2Role role in (Http2Role[])[Http2Role.Server, Http2Role.Client])
        {
            foreach (int id in (int[])[2, 4, 101, LastClientId, LastClientId - 1])
            {
                data.Add($"DATA on {id}", role, Http2ErrorCode.ProtocolError, TestFrame.DataOf(id, 1).ToBytes());
                data.Add($"RST_STREAM on {id}", role, Http2ErrorCode.ProtocolError, TestFrame.Reset(id, Http2ErrorCode.Cancel).ToBytes());
                data.Add($"WINDOW_UPDATE on {id}", role, Http2ErrorCode.ProtocolError, TestFrame.WindowUpdate(id, 1).ToBytes());
                data.Add($"CONTINUATION on {id}", role, Http2ErrorCode.ProtocolError, new TestFrame(TestFrame.Continuation, TestFrame.EndHeaders, id, []).ToBytes());
                if (role == Http2Role.Client || id % 2 == 0)
                    data.Add($"HEADERS on {id}", role, Http2ErrorCode.ProtocolError, TestFrame.Connect(id).ToBytes());
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(WrongStreams))]
    public void Frame_OnAStreamThatCannotBe_IsConnectionError(string what, Http2Role role, Http2ErrorCode code, byte[] frame)
    {
        RawPeer peer = role == Http2Role.Server ? RawPeer.OfServer() : RawPeer.OfClient();
        _ = role == Http2Role.Server ? peer.Accept(1) : peer.Open();

        Assert.True(peer.SendBytes(frame).IsClosed, what);

        peer.AssertGoAway(code);
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_nextStreamId")]
    private static extern ref int NextStreamId(Http2Connection connection);
}
