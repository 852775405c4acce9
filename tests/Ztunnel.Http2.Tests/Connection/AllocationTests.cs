using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Connection;

/// <summary>The heap is the whole process's: what is measured on it runs alone.</summary>
[CollectionDefinition(nameof(HeapMeasurement), DisableParallelization = true)]
public sealed class HeapMeasurement;

/// <summary>Nothing is allocated for a frame or a byte that is relayed, little for a stream (design section 5). Counts, not times: they repeat.</summary>
[Collection(nameof(HeapMeasurement))]
public sealed class AllocationTests
{
    private const int Rounds = 2_000;

    [Fact]
    public void ReceivingData_AllocatesNothing()
    {
        var events = new SilentEvents();
        Http2Connection server = Server(events);
        Feed(server, TestFrame.Connect(1));
        var output = new byte[4_096];
        byte[] small = [.. Enumerable.Repeat(TestFrame.DataOf(1, 1).ToBytes(), 100).SelectMany(frame => frame)];
        byte[] large = TestFrame.DataOf(1, 16_384).ToBytes();

        AssertNoAllocation(() =>
        {
            server.Receive(small, 0);
            server.Receive(large.AsSpan(0, 5), 0);
            server.Receive(large.AsSpan(5), 0);
            while (server.HasControlOutput)
                server.WriteControl(output);
        });
        Assert.False(server.Result.IsClosed);
    }

    [Fact]
    public void SendingDataAndTakingWindowUpdates_AllocatesNothing()
    {
        var events = new SilentEvents();
        Http2Connection server = Server(events);
        Feed(server, TestFrame.Connect(1));
        var output = new byte[4_096];
        server.WriteControl(output);
        byte[] updates = [.. TestFrame.WindowUpdate(1, 16_384).ToBytes(), .. TestFrame.WindowUpdate(0, 16_384).ToBytes(), .. TestFrame.PingOf(1).ToBytes()];

        int round = 0;
        AssertNoAllocation(() =>
        {
            events.Stream!.WriteDataHeader(output, 16_384, endStream: false);
            server.Receive(updates.AsSpan(0, 11), 0);
            server.Receive(updates.AsSpan(11), 0);
            server.WriteControl(output);
            if (++round % 500 == 0)
                server.OnTick(round * 20L);
        });
        Assert.False(server.Result.IsClosed);
    }

    /// <summary>The stream object, and at the server the two strings that differ on each request.</summary>
    [Fact]
    public void ConnectAndItsEnd_AllocatesTheStreamAndWhatIsNewInTheRequest()
    {
        var events = new SilentEvents();
        var clientEvents = new SilentEvents();
        var server = new Http2Connection(Http2Role.Server, Http2Settings.ForServer, events, nowMilliseconds: 0);
        var client = new Http2Connection(Http2Role.Client, Http2Settings.ForClient, clientEvents, nowMilliseconds: 0);
        var wire = new byte[16 * 1024];
        server.Receive(wire.AsSpan(0, client.WriteControl(wire)), 0);
        client.Receive(wire.AsSpan(0, server.WriteControl(wire)), 0);
        server.Receive(wire.AsSpan(0, client.WriteControl(wire)), 0);
        long atClient = 0, atServer = 0;
        for (int round = -200; round < 1_000; round++)
        {
            if (round == 0)
                atClient = atServer = 0;
            long before = GC.GetAllocatedBytesForCurrentThread();
            Http2Stream stream = client.OpenStream(RawPeer.Request(), owner: null)!;
            int count = client.WriteControl(wire);
            long between = GC.GetAllocatedBytesForCurrentThread();
            server.Receive(wire.AsSpan(0, count), 0);
            count = server.WriteControl(wire);
            count += events.Stream!.WriteDataHeader(wire.AsSpan(count), 0, endStream: true);
            atServer += GC.GetAllocatedBytesForCurrentThread() - between;
            atClient += between - before;
            before = GC.GetAllocatedBytesForCurrentThread();
            client.Receive(wire.AsSpan(0, count), 0);
            stream.WriteDataHeader(wire, 0, endStream: true);
            atClient += GC.GetAllocatedBytesForCurrentThread() - before;
            before = GC.GetAllocatedBytesForCurrentThread();
            server.Receive(wire.AsSpan(0, 9), 0);
            atServer += GC.GetAllocatedBytesForCurrentThread() - before;
            if (round % 100 == 0)
            {
                server.OnTick((round + 200) * 100L);
                client.OnTick((round + 200) * 100L);
                client.Receive(wire.AsSpan(0, server.WriteControl(wire)), 0);
                server.Receive(wire.AsSpan(0, client.WriteControl(wire)), 0);
                client.Receive(wire.AsSpan(0, server.WriteControl(wire)), 0);
            }
        }
        Assert.Equal(0, client.ActiveStreams + server.ActiveStreams);
        Assert.InRange(atClient / 1_000, 80, 180);
        Assert.InRange(atServer / 1_000, 80, 560);
    }

    [Fact]
    public void IdleStream_KeepsAtMost150Bytes()
    {
        const int Streams = 20_000;
        var events = new SilentEvents();
        Http2Connection server = Server(events, Http2Settings.ForServer with { MaxConcurrentStreams = Streams });
        Feed(server, TestFrame.Connect(1));
        byte[] connects = [.. Enumerable.Range(1, Streams - 1).SelectMany(i => TestFrame.Connect((2 * i) + 1).ToBytes())];
        long before = GC.GetTotalMemory(forceFullCollection: true);

        server.Receive(connects, 0);
        var output = new byte[1024 * 1024];
        while (server.HasControlOutput)
            server.WriteControl(output);

        long bytes = (GC.GetTotalMemory(forceFullCollection: true) - before) / Streams;
        Assert.Equal(Streams, server.ActiveStreams);
        GC.KeepAlive(connects);
        Assert.InRange(bytes, 40, 150);
    }

    private static Http2Connection Server(SilentEvents events, Http2Settings? settings = null)
    {
        var server = new Http2Connection(Http2Role.Server, settings ?? Http2Settings.ForServer, events, nowMilliseconds: 0);
        server.Receive(TestFrame.Preface, 0);
        Feed(server, TestFrame.Settings());
        return server;
    }

    private static void Feed(Http2Connection connection, TestFrame frame)
    {
        connection.Receive(frame.ToBytes(), 0);
        var output = new byte[4_096];
        connection.WriteControl(output);
    }

    private static void AssertNoAllocation(Action step)
    {
        for (int i = 0; i < 300; i++)
            step();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Rounds; i++)
            step();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Rounds / 10);
    }

    private sealed class SilentEvents : IHttp2Events
    {
        public Http2Stream? Stream { get; private set; }

        public void OnRequest(Http2Stream stream, in Http2Request request)
        {
            Stream = stream;
            stream.Respond(200, request.Baggage, endStream: false);
        }

        public void OnData(Http2Stream stream, int offset, int length) => stream.Credit(length);

        public void OnResponse(Http2Stream stream, in Http2Response response)
        {
        }

        public void OnEndOfStream(Http2Stream stream)
        {
        }

        public void OnReset(Http2Stream stream, Http2ErrorCode code)
        {
        }

        public void OnSendWindow(Http2Stream stream)
        {
        }

        public void OnStreamClosed(Http2Stream stream)
        {
        }

        public void OnGoAway(int lastStreamId, Http2ErrorCode code, string debug)
        {
        }

        public void OnSettings()
        {
        }
    }
}
