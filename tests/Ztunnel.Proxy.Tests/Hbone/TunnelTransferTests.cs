using System.Net.Sockets;
using Ztunnel.Http2;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Tests.Support;

namespace Ztunnel.Proxy.Tests.Hbone;

/// <summary>Bytes, ends and resets through a whole tunnel.</summary>
public sealed class TunnelTransferTests
{
    [Theory]
    [MemberData(nameof(Transfers))]
    public async Task Transfer_BothDirectionsAtOnce_IsIdentical(int bytes, Nesting nesting)
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync(nesting);
        using StreamPair stream = await pair.OpenStreamAsync();

        Task<byte[]> atServer = Applications.ReceiveHashAsync(stream.Server);
        Task<byte[]> atClient = Applications.ReceiveHashAsync(stream.Client);
        Task<byte[]> up = Applications.SendRandomAsync(stream.Client, bytes, seed: 1);
        Task<byte[]> down = Applications.SendRandomAsync(stream.Server, bytes, seed: 2);

        Assert.Equal(await up, await atServer);
        Assert.Equal(await down, await atClient);
        Assert.True((await stream.ClientSide.Ended.Task.WaitAsync(TunnelPair.Limit)).IsSuccess);
        Assert.True((await stream.ServerSide.Ended.Task.WaitAsync(TunnelPair.Limit)).IsSuccess);
        Assert.Equal(bytes, stream.ClientSide.ToTunnel);
        Assert.Equal(bytes, stream.ServerSide.ToApplication);
    }

    public static TheoryData<int, Nesting> Transfers()
    {
        var data = new TheoryData<int, Nesting>();
        foreach (Nesting nesting in Enum.GetValues<Nesting>())
        {
            // Around the payload of one record, outer or inner, and far beyond every window.
            foreach (int bytes in (int[])[1, 16_343, 16_344, 16_345, 16_374, 16_375, 16_376, 1_000_000, 32 * 1024 * 1024])
                data.Add(bytes, nesting);
        }

        return data;
    }

    /// <summary>What fails behind the 200 cannot be answered any more; the peer and both applications see a reset.</summary>
    [Fact]
    public async Task Refuse_StreamIsAnswered_ResetsIt()
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync();
        using StreamPair stream = await pair.OpenStreamAsync();
        var outcome = new ConnectionOutcome(EndReason.ResourceExhausted, "connection failed: out of something");

        await pair.OnLoopAsync(() =>
        {
            stream.ServerSide.Stream!.Refuse(503, outcome);
            return true;
        });

        Assert.Equal(outcome, await stream.ServerSide.Ended.Task.WaitAsync(TunnelPair.Limit));
        ConnectionOutcome seen = await stream.ClientSide.Ended.Task.WaitAsync(TunnelPair.Limit);
        Assert.Equal(EndReason.StreamReset, seen.Reason);
        Assert.Contains("internal error", seen.Error, StringComparison.Ordinal);
        Assert.Equal(SocketError.ConnectionReset, (await Assert.ThrowsAsync<SocketException>(() => Applications.ReceiveExactlyAsync(stream.Client, 1))).SocketErrorCode);
    }

    [Theory]
    [InlineData(Nesting.None)]
    [InlineData(Nesting.ThroughGateway)]
    [InlineData(Nesting.Direct)]
    public async Task Streams_ManyAtOnce_DoNotMix(Nesting nesting)
    {
        const int Streams = 50;
        using TunnelPair pair = await TunnelPair.ConnectAsync(nesting);
        var streams = new List<StreamPair>();
        for (int index = 0; index < Streams; index++)
            streams.Add(await pair.OpenStreamAsync());

        await Task.WhenAll(streams.Select(async (stream, index) =>
        {
            Task<byte[]> received = Applications.ReceiveHashAsync(stream.Server);
            Assert.Equal(await Applications.SendRandomAsync(stream.Client, 200_000 + index, seed: index), await received);
            stream.Dispose();
        }));
    }

    /// <summary>Whoever waits for the connection's window keeps its place: woken in a fixed order, the last stream would never see any of it.</summary>
    [Theory]
    [InlineData(Nesting.None)]
    [InlineData(Nesting.ThroughGateway)]
    public async Task Echo_BesideBulkThatUsesUpTheConnectionWindow_IsAnswered(Nesting nesting)
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync(nesting, new ProxySettings { Http2ConnectionWindowBytes = 65_535 });
        using var enough = new CancellationTokenSource();
        var bulk = new List<StreamPair>();
        for (int index = 0; index < 4; index++)
            bulk.Add(await pair.OpenStreamAsync());
        using StreamPair echo = await pair.OpenStreamAsync();
        Task[] transfers = [.. bulk.SelectMany(stream => new[] { Applications.SendUntilAsync(stream.Client, enough.Token), Applications.ReceiveHashAsync(stream.Server) })];

        for (int round = 0; round < 50; round++)
        {
            byte[] request = [(byte)round];
            await echo.Client.SendAsync(request);
            Assert.Equal(request, await Applications.ReceiveExactlyAsync(echo.Server, 1));
            await echo.Server.SendAsync(request);
            Assert.Equal(request, await Applications.ReceiveExactlyAsync(echo.Client, 1));
        }

        Assert.All(bulk, static stream => Assert.True(stream.ServerSide.ToApplication > 0));
        await enough.CancelAsync();
        await Task.WhenAll(transfers).WaitAsync(TunnelPair.Limit);
        bulk.ForEach(static stream => stream.Dispose());
    }

    /// <summary>What bulk leaves of the connection's window is for small streams, also for the rest of what one turn could not send: it must not wait behind bulk that nobody reads.</summary>
    [Theory]
    [InlineData(Nesting.None)]
    [InlineData(Nesting.ThroughGateway)]
    public async Task SmallMessages_BesideBulkThatNobodyReads_ArriveWhole(Nesting nesting)
    {
        const int MessageBytes = 6 * 1024;
        using TunnelPair pair = await TunnelPair.ConnectAsync(nesting, new ProxySettings { Http2ConnectionWindowBytes = 65_535 });
        using StreamPair bulk = await pair.OpenStreamAsync();
        var small = new List<StreamPair>();
        for (int index = 0; index < 3; index++)
            small.Add(await pair.OpenStreamAsync());
        using var enough = new CancellationTokenSource();
        Task sending = Applications.SendUntilAsync(bulk.Client, enough.Token);
        using (var limit = new CancellationTokenSource(TunnelPair.Limit))
        {
            while (await pair.OnLoopAsync(() => bulk.ServerSide.Stream!.Http2.UnconsumedBytes) < 32 * 1024)
                limit.Token.ThrowIfCancellationRequested();
        }

        byte[] message = new byte[MessageBytes];
        for (int round = 0; round < 5; round++)
        {
            // All at once, and together more than bulk leaves.
            await pair.OnLoopAsync(() =>
            {
                small.ForEach(stream => stream.Client.Send(message));
                return true;
            });
            foreach (StreamPair stream in small)
                await Applications.ReceiveExactlyAsync(stream.Server, MessageBytes);
        }

        Task<byte[]> drained = Applications.ReceiveHashAsync(bulk.Server);
        await enough.CancelAsync();
        await Task.WhenAll(sending, drained).WaitAsync(TunnelPair.Limit);
        small.ForEach(static stream => stream.Dispose());
    }

    [Theory]
    [InlineData(Nesting.None)]
    [InlineData(Nesting.ThroughGateway)]
    [InlineData(Nesting.Direct)]
    public async Task HalfClose_OfTheClient_LeavesTheAnswerOpen(Nesting nesting)
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync(nesting);
        using StreamPair stream = await pair.OpenStreamAsync();

        await stream.Client.SendAsync("question"u8.ToArray());
        stream.Client.Shutdown(SocketShutdown.Send);
        Assert.Equal("question"u8.ToArray(), await Applications.ReceiveAllAsync(stream.Server));

        await stream.Server.SendAsync("answer"u8.ToArray());
        stream.Server.Shutdown(SocketShutdown.Send);
        Assert.Equal("answer"u8.ToArray(), await Applications.ReceiveAllAsync(stream.Client));
        Assert.Equal(EndReason.Completed, (await stream.ClientSide.Ended.Task.WaitAsync(TunnelPair.Limit)).Reason);
    }

    /// <summary>Found by the soak: what waited for a slow application was thrown away with its tunnel, though both sides had ended the stream.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Drain_WhileAnApplicationStillReads_LosesNoByte(bool clientDrains)
    {
        const int Bytes = 32 * 1024 * 1024;
        using TunnelPair pair = await TunnelPair.ConnectAsync();
        using StreamPair stream = await pair.OpenStreamAsync(clientBufferBytes: 16 * 1024);
        stream.Client.Shutdown(SocketShutdown.Send);
        Task<byte[]> sent = Applications.SendRandomAsync(stream.Server, Bytes, seed: 1);
        using var received = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        byte[] piece = new byte[16 * 1024];

        // A turn of the loop, which may move 16 times as much, for each piece: however busy the machine is, the application stays behind its proxy.
        while (!stream.ServerSide.Ended.Task.IsCompleted)
        {
            await pair.OnLoopAsync(static () => true);
            received.AppendData(piece, 0, await stream.Client.ReceiveAsync(piece).WaitAsync(TunnelPair.Limit));
        }

        Assert.False(stream.ClientSide.Ended.Task.IsCompleted, "the application has been as fast as its proxy: nothing waits for it");
        await pair.OnLoopAsync(() =>
        {
            (clientDrains ? pair.ClientTunnel : pair.ServerTunnel).Drain();
            return true;
        });
        using var limit = new CancellationTokenSource(TunnelPair.Limit);
        while (!await pair.OnLoopAsync(() => pair.ClientTunnel.IsClosed && pair.ServerTunnel.IsClosed))
            limit.Token.ThrowIfCancellationRequested();

        while (await stream.Client.ReceiveAsync(piece).WaitAsync(TunnelPair.Limit) is var bytes and > 0)
            received.AppendData(piece, 0, bytes);
        Assert.Equal(await sent, received.GetHashAndReset());
        Assert.True((await stream.ClientSide.Ended.Task.WaitAsync(TunnelPair.Limit)).IsSuccess);
        Assert.Equal(Bytes, stream.ClientSide.ToApplication);
    }

    [Theory]
    [InlineData(Nesting.None)]
    [InlineData(Nesting.ThroughGateway)]
    [InlineData(Nesting.Direct)]
    public async Task Reset_OfTheClient_ReachesTheServerAsReset(Nesting nesting)
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync(nesting);
        using StreamPair stream = await pair.OpenStreamAsync();
        await stream.Client.SendAsync("x"u8.ToArray());
        await Applications.ReceiveExactlyAsync(stream.Server, 1);

        stream.Client.LingerState = new LingerOption(enable: true, seconds: 0);
        stream.Client.Dispose();

        SocketException reset = await Assert.ThrowsAsync<SocketException>(() => Applications.ReceiveExactlyAsync(stream.Server, 1));
        Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
        Assert.Equal(EndReason.SourceReset, (await stream.ClientSide.Ended.Task.WaitAsync(TunnelPair.Limit)).Reason);
        Assert.Equal(EndReason.StreamReset, (await stream.ServerSide.Ended.Task.WaitAsync(TunnelPair.Limit)).Reason);
    }

    [Theory]
    [InlineData(Nesting.None)]
    [InlineData(Nesting.ThroughGateway)]
    [InlineData(Nesting.Direct)]
    public async Task Reset_OfTheServer_ReachesTheClientAsReset(Nesting nesting)
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync(nesting);
        using StreamPair stream = await pair.OpenStreamAsync();

        stream.Server.LingerState = new LingerOption(enable: true, seconds: 0);
        stream.Server.Dispose();

        await Assert.ThrowsAsync<SocketException>(() => Applications.ReceiveExactlyAsync(stream.Client, 1));
        Assert.Equal(EndReason.DestinationReset, (await stream.ServerSide.Ended.Task.WaitAsync(TunnelPair.Limit)).Reason);
    }

    [Theory]
    [InlineData(Nesting.None)]
    [InlineData(Nesting.ThroughGateway)]
    [InlineData(Nesting.Direct)]
    public async Task SlowReader_StopsItsSenderOnly(Nesting nesting)
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync(nesting);
        using StreamPair stuck = await pair.OpenStreamAsync();
        using StreamPair lively = await pair.OpenStreamAsync();

        // Nobody reads: the sender must stop when windows and socket buffers are full, long before all of it left.
        const int Bytes = 256 * 1024 * 1024;
        stuck.Client.Blocking = false;
        long accepted = await Applications.SendUntilBlockedAsync(stuck.Client, Bytes, pair);
        Assert.True(accepted < Bytes / 4, $"{accepted} bytes were taken for a receiver that reads nothing");

        Task<byte[]> received = Applications.ReceiveHashAsync(lively.Server);
        Assert.Equal(await Applications.SendRandomAsync(lively.Client, 8_000_000, seed: 3), await received);
    }

    [Theory]
    [InlineData(Nesting.None)]
    [InlineData(Nesting.ThroughGateway)]
    [InlineData(Nesting.Direct)]
    public async Task TunnelLost_EndsItsStreamsWithReset(Nesting nesting)
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync(nesting);
        using StreamPair stream = await pair.OpenStreamAsync();

        await pair.BreakAsync();

        await Assert.ThrowsAsync<SocketException>(() => Applications.ReceiveExactlyAsync(stream.Client, 1));
        ConnectionOutcome outcome = await stream.ClientSide.Ended.Task.WaitAsync(TunnelPair.Limit);
        Assert.Equal(EndReason.TunnelLost, outcome.Reason);
    }

    [Theory]
    [InlineData(Nesting.None)]
    [InlineData(Nesting.ThroughGateway)]
    [InlineData(Nesting.Direct)]
    public async Task Shutdown_TellsThePeerBeforeItDrops(Nesting nesting)
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync(nesting);
        using StreamPair stream = await pair.OpenStreamAsync();

        await pair.OnLoopAsync(() =>
        {
            pair.ServerTunnel.Shutdown(Http2ErrorCode.NoError, ConnectionOutcome.Drained);
            return true;
        });

        ConnectionOutcome client = await stream.ClientSide.Ended.Task.WaitAsync(TunnelPair.Limit);
        Assert.Equal(EndReason.StreamReset, client.Reason);
        Assert.Equal(EndReason.Drained, (await stream.ServerSide.Ended.Task.WaitAsync(TunnelPair.Limit)).Reason);
    }

    /// <summary>The relay allocates per connection, never per byte or frame (design: "allocate nothing per byte or frame").</summary>
    [Theory]
    [InlineData(Nesting.None)]
    [InlineData(Nesting.ThroughGateway)]
    [InlineData(Nesting.Direct)]
    public async Task Relay_AfterWarmUp_AllocatesNothing(Nesting nesting)
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync(nesting);
        using StreamPair stream = await pair.OpenStreamAsync();
        await Applications.EchoAsync(stream, rounds: 200, bytes: 64);
        await Applications.EchoAsync(stream, rounds: 20, bytes: 200_000);

        long before = await pair.OnLoopAsync(() => GC.GetAllocatedBytesForCurrentThread());
        await Applications.EchoAsync(stream, rounds: 500, bytes: 64);
        await Applications.EchoAsync(stream, rounds: 50, bytes: 200_000);
        long after = await pair.OnLoopAsync(() => GC.GetAllocatedBytesForCurrentThread());

        // The two questions themselves cost a few hundred bytes; a single allocation per frame would be tens of thousands.
        Assert.InRange(after - before, 0, 2_000);
    }
}
