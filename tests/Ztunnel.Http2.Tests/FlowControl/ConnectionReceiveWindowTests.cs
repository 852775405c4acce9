using Ztunnel.Http2.FlowControl;
using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.FlowControl;

/// <summary>What the peer may have under way on all streams together, with and without a limit.</summary>
public sealed class ConnectionReceiveWindowTests
{
    private const int Size = 1_000_000;

    [Fact]
    public void Limit_OfAWindowGivenAlready_HoldsBackUntilItIsUsed()
    {
        ConnectionReceiveWindow window = Announced();
        window.Limit(200_000);

        Take(ref window, 890_000);
        Assert.False(window.IsUpdateDue);
        Take(ref window, 10_000);

        Assert.True(window.IsUpdateDue);
        Assert.Equal(100_000, window.TakeUpdate());
    }

    [Fact]
    public void Limit_BytesUnderWay_AreNeverMore()
    {
        ConnectionReceiveWindow window = Announced();
        window.Limit(200_000);
        int peer = Size;
        for (int round = 0; round < 10_000; round++)
        {
            int bytes = Math.Min(peer, 7_001);
            Assert.True(bytes > 0, $"the peer has no window in round {round}");
            Take(ref window, bytes);
            peer -= bytes;
            if (window.IsUpdateDue)
            {
                peer += window.TakeUpdate();
                Assert.InRange(peer, 100_000, 200_000);
            }
        }
    }

    /// <summary>What waits for applications is bound by their own windows; it must not stop the others.</summary>
    [Fact]
    public void Limit_BytesThatWaitForApplications_DoNotCount()
    {
        ConnectionReceiveWindow window = Announced();
        window.Limit(200_000);
        Take(ref window, 300_000);
        Assert.True(window.TryTake(600_000));    // and nobody takes these

        Assert.Equal(600_000, window.Unconsumed);
        Assert.True(window.IsUpdateDue);
        Assert.Equal(100_000, window.TakeUpdate());

        Assert.True(window.TryTake(200_000));
        Assert.Equal(200_000, window.TakeUpdate());
        Assert.True(window.TryTake(200_000));
        Assert.False(window.IsUpdateDue);    // all of it waits
        window.Consume(10);
        Assert.True(window.IsUpdateDue);
    }

    [Fact]
    public void Limit_Raised_IsGivenAtTheNextUpdate()
    {
        ConnectionReceiveWindow window = Announced();
        window.Limit(100_000);
        Take(ref window, 950_000);
        Assert.Equal(50_000, window.TakeUpdate());

        window.Limit(400_000);

        Assert.Equal(300_000, window.TakeUpdate());
    }

    [Fact]
    public void OnRoundTrip_BeforeThePreface_IsNotWanted_AndTheWholeWindowIsAnnounced()
    {
        RawPeer peer = RawPeer.Unconnected(Http2Role.Server);
        Assert.False(peer.Connection.IsRoundTripWanted(1_000));

        peer.SendBytes(TestFrame.Preface);

        Assert.True(peer.Connection.IsRoundTripWanted(1_000));
        TestFrame update = Assert.Single(peer.Read(), static frame => frame.Type == TestFrame.WindowUpdateType);
        Assert.Equal(Http2Settings.ForServer.ConnectionWindowBytes - 65_535, update.Increment);
    }

    [Theory]
    [InlineData(false, FlightTarget.BulkStandingBytes)]
    [InlineData(true, FlightTarget.SharedStandingBytes)]
    public void OnRoundTrip_ShortPath_BoundsWhatThePeerMaySend(bool besideSmallStream, int standingBytes)
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream mouse = peer.Accept(101);
        Http2Stream[] streams = [.. Enumerable.Range(0, 8).Select(index => peer.Accept(103 + (2 * index)))];
        long sent = 0;
        long window = Http2Settings.ForServer.ConnectionWindowBytes;
        for (long now = 1; now < 400; now++)
        {
            foreach (Http2Stream stream in streams)
            {
                if (window < 100_000)
                    break;
                peer.Send(TestFrame.DataOf(stream.Id, 100_000));
                stream.Credit(100_000);
                (sent, window) = (sent + 100_000, window - 100_000);
            }
            if (besideSmallStream && window > 0)
            {
                peer.Send(TestFrame.DataOf(mouse.Id, 1));
                mouse.Credit(1);
                window--;
            }
            if (peer.Connection.IsRoundTripWanted(now))
                peer.Connection.OnRoundTrip(now, TimeSpan.FromMicroseconds(30));
            window += peer.Read().Where(static frame => frame.StreamId == 0).Sum(static frame => frame.Increment);
        }

        Assert.False(peer.Connection.Result.IsClosed);
        Assert.True(sent > 50_000_000, $"{sent} bytes sent");
        Assert.InRange(window, 0, standingBytes + 100_000);
        Assert.InRange(window, standingBytes / 3, int.MaxValue);
    }

    private static ConnectionReceiveWindow Announced()
    {
        var window = new ConnectionReceiveWindow(Size);
        Assert.Equal(Size - 65_535, window.TakeUpdate());
        return window;
    }

    private static void Take(ref ConnectionReceiveWindow window, int bytes)
    {
        Assert.True(window.TryTake(bytes));
        window.Consume(bytes);
    }
}
