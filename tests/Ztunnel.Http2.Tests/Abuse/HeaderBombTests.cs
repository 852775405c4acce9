using Ztunnel.Http2.Hpack;
using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Abuse;

/// <summary>Header sections that are small on the wire and large here, and what they can do to the dynamic table.</summary>
public sealed class HeaderBombTests
{
    private const byte NewestEntry = 0xbe;
    private const int MaxTableBytes = 4_096;

    // A list within MAX_HEADER_LIST_SIZE (64 KiB) as a string of two bytes a character, once by line and once joined, and some room.
    private const int MostBytesOfARequest = 400_000;

    [Fact]
    public void OneEntry_ReferredToSixteenThousandTimes_IsReadToFourTimesTheLimitOnly()
    {
        var attack = new Attack(Http2Role.Server);
        byte[] bomb = [.. Connect, .. Entry("x", new string('v', 4_000)), .. Enumerable.Repeat(NewestEntry, 16_000)];

        attack.Feed(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 1, bomb).ToBytes());

        Assert.Equal("header_list_too_large", attack.Connection.Result.Text);
        Assert.Equal(0, attack.Requests);
        Assert.InRange(attack.AllocatedBytes, 0, 300_000);
        attack.AssertOthersAreServed();
    }

    /// <summary>Each insertion moves what is in the table: two bytes on the wire, four thousand here.</summary>
    [Fact]
    public void InsertionsThatNameALargeEntry_AreReadToFourTimesTheLimitOnly()
    {
        var attack = new Attack(Http2Role.Server);
        byte[] bomb = [.. Connect, .. Entry(new string('n', 1_000), ""), .. Enumerable.Range(0, 60_000).SelectMany(static _ => new byte[] { 0x40 | 62, 0 })];

        attack.Feed(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 1, bomb).ToBytes());

        Assert.Equal("header_list_too_large", attack.Connection.Result.Text);
        attack.AssertOthersAreServed();
    }

    [Fact]
    public void BombOfAServer_IsReadToFourTimesTheLimitOnly()
    {
        var attack = new Attack(Http2Role.Client);
        attack.Connection.OpenStream(RawPeer.Request(), owner: null);
        byte[] bomb = [.. TestFrame.Fields((":status", "200")), .. Entry("x", new string('v', 4_000)), .. Enumerable.Repeat(NewestEntry, 4_000)];

        attack.Feed(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 1, bomb).ToBytes());

        Assert.Equal("header_list_too_large", attack.Connection.Result.Text);
        attack.AssertOthersAreServed();
    }

    /// <summary>Lines of baggage are joined: with a copy for each line a kilobyte on the wire would allocate tens of megabytes.</summary>
    [Fact]
    public void BaggageInManyLines_IsJoinedOnce()
    {
        var attack = new Attack(Http2Role.Server);
        byte[] lines = [.. Connect, .. Entry("baggage", new string('b', 40)), .. Enumerable.Repeat(NewestEntry, 800)];

        attack.Feed(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 1, lines).ToBytes());

        Assert.Equal(1, attack.Requests);
        Assert.InRange(attack.AllocatedBytes, 0, MostBytesOfARequest);
    }

    [Fact]
    public void Table_WhateverIsInserted_StaysWithinItsLimit()
    {
        var decoder = new HpackDecoder();
        var random = new Random(9113);
        byte[] scratch = new byte[64 * 1024];
        for (int i = 0; i < 5_000; i++)
        {
            byte[] section = random.Next(5) == 0
                ? [0x20 | 31, .. Rest(random.Next(MaxTableBytes - 31)), .. Entry("a", "b")]
                : Entry(new string('n', random.Next(1, 200)), new string('v', random.Next(random.Next(6) == 0 ? 6_000 : 100)));
            ReadOnlySpan<byte> rest = section;
            decoder.BeginSection();
            while (decoder.TryRead(ref rest, scratch, out _, out string? error))
                Assert.Null(error);

            Assert.InRange(decoder.Table.Size, 0, decoder.Table.MaxSize);
            Assert.InRange(decoder.Table.Count, 0, MaxTableBytes / DynamicTable.EntryOverhead);
        }
    }

    [Fact]
    public void TableSizeAboveTheLimit_IsCompressionError()
    {
        RawPeer peer = RawPeer.OfServer();

        peer.Send(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 1, [0x20 | 31, .. Rest(MaxTableBytes - 31 + 1), .. Connect]));

        peer.AssertGoAway(Http2ErrorCode.CompressionError);
    }

    [Fact]
    public void FullTable_OfAnIdleConnection_IsAllThatItKeeps()
    {
        RawPeer peer = RawPeer.OfServer();
        for (int i = 0; i < 200; i++)
        {
            peer.Send(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, (2 * i) + 1, [.. Connect, .. Entry($"name-{i}", new string('v', 500))]));
            peer.Send(TestFrame.Reset((2 * i) + 1, Http2ErrorCode.Cancel));
        }

        Assert.False(peer.Connection.Result.IsClosed);
        Assert.Equal(0, peer.Connection.ActiveStreams);
        peer.Send(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 401, [.. Connect, (byte)(NewestEntry + 6)]));
        Assert.Equal("request 401 CONNECT a:1", peer.Events.Log[^1]);
        peer.Send(new TestFrame(TestFrame.Headers, TestFrame.EndHeaders, 403, [.. Connect, (byte)(NewestEntry + 7)]));
        peer.AssertGoAway(Http2ErrorCode.CompressionError);
    }

    private static byte[] Connect => TestFrame.Fields((":method", "CONNECT"), (":authority", "a:1"));

    /// <summary>A literal with a new name, to be indexed.</summary>
    private static byte[] Entry(string name, string value) => [0x40, .. TestFrame.Fields((name, value)).Skip(1)];

    private static byte[] Rest(int value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
            bytes.Add((byte)(0x80 | (value & 0x7f)));
        return [.. bytes, (byte)value];
    }
}
