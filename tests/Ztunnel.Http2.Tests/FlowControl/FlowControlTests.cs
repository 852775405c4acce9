using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.FlowControl;

/// <summary>Windows as the peer sees them, in both directions (RFC 9113 5.2, 6.9; data-path 5.1).</summary>
public sealed class FlowControlTests
{
    private static readonly byte[] Header = new byte[9];

    [Fact]
    public void Send_IsBoundByStreamConnectionAndFrameSize()
    {
        RawPeer peer = RawPeer.OfClient(null, (4, 40_000));
        Http2Stream first = peer.Open();
        Http2Stream second = peer.Open();

        Assert.Equal(40_000, first.SendWindow);
        Assert.Equal(16_384, first.MaxDataPayload);
        first.WriteDataHeader(Header, 16_384, endStream: false);
        first.WriteDataHeader(Header, 16_384, endStream: false);
        Assert.Equal(40_000 - 32_768, first.MaxDataPayload);
        Assert.Equal(65_535 - 32_768, second.SendWindow);
    }

    [Fact]
    public void OnSendWindow_IsRaisedWhenTheStreamOpensAgain()
    {
        RawPeer peer = RawPeer.OfClient(null, (4, 1_000));
        Http2Stream stream = peer.Open();
        stream.WriteDataHeader(Header, 1_000, endStream: false);
        Assert.Equal(0, stream.MaxDataPayload);

        peer.Send(TestFrame.WindowUpdate(1, 5), TestFrame.WindowUpdate(1, 5));

        Assert.Equal(["window 1 5"], peer.Events.Log);
        Assert.Equal(10, stream.SendWindow);
    }

    [Fact]
    public void OnSendWindow_IsRaisedForEveryStreamWhenTheConnectionOpensAgain()
    {
        RawPeer peer = RawPeer.OfClient(null, (4, 100_000));
        Http2Stream[] streams = [peer.Open(), peer.Open(), peer.Open()];
        for (int left = 65_535; left > 0; left -= Math.Min(left, 16_384))
            streams[0].WriteDataHeader(Header, Math.Min(left, 16_384), endStream: false);
        streams[1].WriteDataHeader(Header, 0, endStream: true);

        peer.Send(TestFrame.WindowUpdate(1, 500));
        Assert.Empty(peer.Events.Log);
        peer.Send(TestFrame.WindowUpdate(0, 300));

        Assert.Equal(["window 1 300", "window 5 300"], peer.Events.Log.Order());
    }

    [Fact]
    public void Rfc9113_6_9_2_InitialWindowChange_MovesOpenStreamsBelowZeroAndBack()
    {
        RawPeer peer = RawPeer.OfClient(null, (4, 10_000));
        Http2Stream stream = peer.Open();
        stream.WriteDataHeader(Header, 8_000, endStream: false);

        peer.Send(TestFrame.Settings((4, 1_000)));
        Assert.Equal(0, stream.SendWindow);
        peer.Send(TestFrame.WindowUpdate(1, 6_999));
        Assert.Equal(0, stream.SendWindow);
        peer.Send(TestFrame.Settings((4, 1_101)));

        Assert.Equal(100, stream.SendWindow);
        Assert.Equal(["settings", "window 1 100", "settings"], peer.Events.Log);
    }

    [Fact]
    public void EndStream_NeedsNoWindow()
    {
        RawPeer peer = RawPeer.OfClient(null, (4, 0));
        Http2Stream stream = peer.Open();

        Assert.Equal(0, stream.MaxDataPayload);
        Assert.Equal(9, stream.WriteDataHeader(Header, 0, endStream: true));
    }

    [Fact]
    public void Credit_OfHalfTheWindow_IsAnnounced()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);
        peer.Send(TestFrame.DataOf(1, 140_000));

        stream.Credit(100_000);
        Assert.Empty(peer.Read());
        stream.Credit(40_000);

        TestFrame update = peer.ReadOne();
        Assert.Equal((TestFrame.WindowUpdateType, 1, 140_000), (update.Type, update.StreamId, update.Increment));
    }

    [Fact]
    public void Credit_OfMoreThanArrived_GivesNoMoreThanArrived()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);
        peer.Send(TestFrame.DataOf(1, 131_072));

        stream.Credit(int.MaxValue);

        Assert.Equal(131_072, peer.ReadOne().Increment);
    }

    [Fact]
    public void Window_OfAStreamThatIsHeldBack_GrowsToTheMaximumAndNoFurther()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);
        int window = 256 * 1024;
        for (int round = 0; round < 8; round++)
        {
            int left = window;
            while (left > 0)
            {
                int part = Math.Min(left, 1_000_000);
                peer.Send(TestFrame.DataOf(1, part));
                left -= part;
            }
            stream.Credit(window);
            window = Assert.Single(peer.Read(), frame => frame.StreamId == 1).Increment;
            Assert.False(peer.Connection.Result.IsClosed);
        }
        Assert.Equal(4 * 1024 * 1024, window);
    }

    /// <summary>A path of some delay and rate: the window ends large enough to fill it, and stays as it is where it was large enough already.</summary>
    [Theory]
    [InlineData(2, 20_000, 256 * 1024, 256 * 1024)]
    [InlineData(10, 20_000, 400_000, 2 * 1024 * 1024)]
    [InlineData(10, 100_000, 2_000_000, 4 * 1024 * 1024)]
    [InlineData(100, 100_000, 4 * 1024 * 1024, 4 * 1024 * 1024)]
    public void Window_FollowsTheDelayOfThePath(int delay, int bytesPerStep, int least, int most)
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);
        var toServer = new Queue<int[]>(Enumerable.Range(0, delay).Select(_ => Array.Empty<int>()));
        var toClient = new Queue<int>(Enumerable.Range(0, delay).Select(_ => 0));
        int window = 256 * 1024;
        for (int step = 0; step < 5_000; step++)
        {
            window += toClient.Dequeue();
            var frames = new List<int>();
            for (int left = bytesPerStep; left > 0 && window > 0; left -= frames[^1], window -= frames[^1])
                frames.Add(Math.Min(Math.Min(left, window), 16_375));
            toServer.Enqueue([.. frames]);

            int[] arrived = toServer.Dequeue();
            peer.Send([.. arrived.Select(bytes => TestFrame.DataOf(1, bytes))]);
            stream.Credit(arrived.Sum());
            toClient.Enqueue(peer.Read().Where(frame => frame.StreamId == 1).Sum(frame => frame.Increment));
        }
        Assert.InRange(stream.ReceiveWindow.Size, least, most);
    }

    [Fact]
    public void Window_DoesNotGrowBeyondTheBudgetOfAll()
    {
        var budget = new WindowBudget(300_000);
        RawPeer peer = RawPeer.OfServer(Http2Settings.ForServer with { GrowthBudget = budget });
        Http2Stream first = peer.Accept(1);
        Http2Stream second = peer.Accept(3);

        peer.Send(TestFrame.DataOf(1, 262_144), TestFrame.DataOf(3, 262_144));
        first.Credit(262_144);
        second.Credit(262_144);

        Assert.Equal([2 * 262_144, 262_144], peer.Read().Select(frame => frame.Increment));
        Assert.Equal(262_144, budget.InUseBytes);
        first.Reset(Http2ErrorCode.Cancel);
        Assert.Equal(0, budget.InUseBytes);
    }

    /// <summary>Receivers that take nothing keep their own windows' worth; the rest of the connection window must go on circulating, however little it is.</summary>
    [Fact]
    public void StuckReceivers_DoNotBlockTheOthers()
    {
        const int Stream = 65_536;
        RawPeer peer = RawPeer.OfServer(Http2Settings.ForServer with { ConnectionWindowBytes = 4 * Stream, InitialStreamWindowBytes = Stream, MaxStreamWindowBytes = Stream });
        for (int id = 1; id <= 5; id += 2)
        {
            peer.Accept(id);
            peer.Send(TestFrame.DataOf(id, Stream));
        }
        Http2Stream running = peer.Accept(7);
        int connection = Stream;    // what the three stuck streams left
        int stream = Stream;

        long moved = 0;
        while (moved < 10_000_000)
        {
            int part = Math.Min(Math.Min(connection, stream), 5_000);
            Assert.True(part > 0, $"blocked after {moved} bytes: connection {connection}, stream {stream}");
            peer.Send(TestFrame.DataOf(7, part));
            running.Credit(part);
            moved += part;
            connection -= part;
            stream -= part;
            foreach (TestFrame update in peer.Read())
            {
                if (update.StreamId == 0)
                    connection += update.Increment;
                else
                    stream += update.Increment;
            }
        }
        Assert.False(peer.Connection.Result.IsClosed);
    }

    [Fact]
    public void ConnectionWindow_HoldsWhatClosedStreamsHaveNotCredited()
    {
        RawPeer peer = RawPeer.OfServer();
        Http2Stream stream = peer.Accept(1);
        peer.Send(TestFrame.DataOf(1, 100_000, endStream: true));
        stream.WriteDataHeader(Header, 0, endStream: true);
        Assert.Equal(Http2StreamState.Closed, stream.State);

        stream.Credit(40_000);    // the application still takes what had arrived

        Assert.Equal(60_000, stream.UnconsumedBytes);
        Assert.Empty(peer.Read());
    }

    [Fact]
    public void StreamOverrun_GivesItsBytesBackToTheConnection()
    {
        RawPeer peer = RawPeer.OfServer();
        for (int id = 1; id < 100; id += 2)
        {
            peer.Send(TestFrame.Connect(id), TestFrame.DataOf(id, 262_144), TestFrame.DataOf(id, 262_144));
            Assert.False(peer.Connection.Result.IsClosed);
            peer.Read();
        }
        Assert.Equal(50, peer.Events.Log.Count(line => line.EndsWith("FlowControlError by us", StringComparison.Ordinal)));
    }

    [Fact]
    public void ConnectionOverrun_IsConnectionError()
    {
        RawPeer peer = RawPeer.OfServer(Http2Settings.ForServer with { ConnectionWindowBytes = 300_000 });
        peer.Accept(1);
        peer.Accept(3);

        peer.Send(TestFrame.DataOf(1, 262_144), TestFrame.DataOf(3, 50_000));

        peer.AssertGoAway(Http2ErrorCode.FlowControlError);
    }
}
