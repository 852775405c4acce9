using Ztunnel.Proxy.Hbone;

namespace Ztunnel.Proxy.Tests.Hbone;

/// <summary>In which order the streams of a tunnel write, and how much at a time.</summary>
public sealed class SendTurnsTests
{
    private const int BatchBytes = SendTurns.BulkQuantumBytes;

    [Fact]
    public void Take_SmallBesideBulk_GoesFirst()
    {
        var turns = new SendTurns();
        foreach (string name in (string[])["a", "b", "c"])
            turns.Add(new Candidate(name) { IsBulk = true });
        turns.Add(new Candidate("mouse"));

        Assert.Equal(["mouse", "a", "b", "c"], Drain(ref turns));
    }

    [Fact]
    public void Take_BulkOnly_IsRoundRobin()
    {
        var turns = new SendTurns();
        turns.Add(new Candidate("a") { IsBulk = true, Bytes = 3 * SendTurns.BulkQuantumBytes });
        turns.Add(new Candidate("b") { IsBulk = true, Bytes = 2 * SendTurns.BulkQuantumBytes });
        turns.Add(new Candidate("c") { IsBulk = true, Bytes = SendTurns.BulkQuantumBytes });

        Assert.Equal(["a", "b", "c", "a", "b", "a"], Drain(ref turns));
    }

    [Fact]
    public void Add_StreamThatWaitsAlready_KeepsItsPlace()
    {
        var turns = new SendTurns();
        var first = new Candidate("first");
        turns.Add(first);
        turns.Add(new Candidate("second"));
        turns.Add(first);

        Assert.Equal(["first", "second"], Drain(ref turns));
    }

    [Theory]
    [InlineData(SendTurns.BulkBytes - 1, false)]
    [InlineData(SendTurns.BulkBytes, true)]
    public void Wrote_DecidesWhatTheStreamIsNextTime(int bytes, bool isBulk)
    {
        foreach (bool before in (bool[])[false, true])
        {
            var turns = new SendTurns();
            var stream = new Candidate("stream") { IsBulk = before };
            turns.Add(stream);
            turns.Wrote(turns.Take(), bytes, hasMore: false);

            Assert.Equal(isBulk, stream.IsBulk);
            Assert.True(turns.IsEmpty);
        }
    }

    [Fact]
    public void Wrote_SmallStreamThatHasMore_WaitsBehindTheBulk()
    {
        var turns = new SendTurns();
        turns.Add(new Candidate("chatty") { Bytes = 2, BytesPerTurn = 1 });
        turns.Add(new Candidate("bulk") { IsBulk = true });

        Assert.Equal(["chatty", "bulk", "chatty"], Drain(ref turns));
    }

    [Fact]
    public void LetSmallPass_SmallStreamsBehindBulk_GoFirstInTheirOrder()
    {
        var turns = new SendTurns();
        foreach (string name in (string[])["a", "b"])
            turns.Add(new Candidate(name) { Bytes = 2, BytesPerTurn = 1 });
        turns.Add(new Candidate("bulk") { IsBulk = true });
        foreach (string name in (string[])["a", "b"])
        {
            var candidate = (Candidate)turns.Take();
            Assert.Equal(name, candidate.Name);
            turns.Wrote(candidate, candidate.Write(SendTurns.SmallQuantumBytes), hasMore: true);
        }

        turns.Add(new Candidate("more bulk") { IsBulk = true });
        turns.PutBack(turns.Take());

        Assert.True(turns.LetSmallPass());
        Assert.Equal(["a", "b", "bulk", "more bulk"], Drain(ref turns));
        turns.Add(new Candidate("bulk") { IsBulk = true });
        Assert.False(turns.LetSmallPass());
        Assert.Equal(["bulk"], Drain(ref turns));
    }

    [Fact]
    public void PutBack_IsNextAgain()
    {
        var turns = new SendTurns();
        turns.Add(new Candidate("a") { IsBulk = true });
        turns.Add(new Candidate("b") { IsBulk = true });
        turns.PutBack(turns.Take());
        Assert.Equal(["a", "b"], Drain(ref turns));

        turns.Add(new Candidate("bulk") { IsBulk = true });
        turns.PutBack(turns.Take());
        turns.Add(new Candidate("mouse"));
        Assert.Equal(["mouse", "bulk"], Drain(ref turns));
    }

    [Fact]
    public void QuantumFor_LoneStreamOrBulk_IsAWholeBatch_SmallBesideOthersLess()
    {
        var turns = new SendTurns();
        turns.Add(new Candidate("a") { IsBulk = true });
        turns.Add(new Candidate("b"));

        SendCandidate small = turns.Take();
        Assert.Equal(SendTurns.SmallQuantumBytes, turns.QuantumFor(small));
        SendCandidate bulk = turns.Take();
        Assert.Equal(SendTurns.BulkQuantumBytes, turns.QuantumFor(small));
        turns.Add(new Candidate("c"));
        Assert.Equal(SendTurns.BulkQuantumBytes, turns.QuantumFor(bulk));
    }

    /// <summary>However many small streams there are in every batch, bulk gets about half of it.</summary>
    [Fact]
    public void Take_SmallStreamsWithoutEnd_LeaveBulkItsShare()
    {
        var turns = new SendTurns();
        var bulk = new Candidate("bulk") { IsBulk = true, Bytes = int.MaxValue };
        turns.Add(bulk);
        long small = 0;
        for (int batch = 0; batch < 100; batch++)
        {
            for (int index = 0; index < 40; index++)
                turns.Add(new Candidate("small") { Bytes = SendTurns.BulkBytes - 1 });
            for (int left = BatchBytes; left > 0;)
            {
                var candidate = (Candidate)turns.Take();
                int bytes = candidate.Write(Math.Min(left, turns.QuantumFor(candidate)));
                left -= bytes;
                small += candidate == bulk ? 0 : bytes;
                if (left > 0)
                    turns.Wrote(candidate, bytes, candidate.Bytes > 0);
                else
                    turns.PutBack(candidate);
            }
        }

        long moved = int.MaxValue - bulk.Bytes;
        Assert.InRange(moved, small / 4, small);
    }

    /// <summary>A mouse that comes when bulk waits in line is sent within the batch that is being built, whatever the bulk has.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(64)]
    public void Take_MouseBesideAnyAmountOfBulk_WaitsForNoQuantum(int bulkStreams)
    {
        var turns = new SendTurns();
        for (int index = 0; index < bulkStreams; index++)
            turns.Add(new Candidate($"{index}") { IsBulk = true, Bytes = int.MaxValue });
        for (int round = 0; round < 1_000; round++)
        {
            turns.Add(new Candidate("mouse"));
            var first = (Candidate)turns.Take();
            Assert.Equal("mouse", first.Name);
            turns.Wrote(first, first.Write(turns.QuantumFor(first)), hasMore: false);

            var next = (Candidate)turns.Take();
            Assert.Equal($"{round % bulkStreams}", next.Name);
            turns.Wrote(next, SendTurns.BulkQuantumBytes, hasMore: true);
        }
    }

    private static List<string> Drain(ref SendTurns turns)
    {
        var order = new List<string>();
        while (!turns.IsEmpty)
        {
            var candidate = (Candidate)turns.Take();
            order.Add(candidate.Name);
            int bytes = candidate.Write(SendTurns.BulkQuantumBytes);
            turns.Wrote(candidate, bytes, candidate.Bytes > 0);
        }

        return order;
    }

    private sealed class Candidate(string name) : SendCandidate
    {
        public string Name => name;

        public int Bytes { get; set; } = 1;

        public int BytesPerTurn { get; init; } = int.MaxValue;

        public int Write(int quantum)
        {
            int bytes = Math.Min(Math.Min(Bytes, quantum), BytesPerTurn);
            Bytes -= bytes;
            return bytes;
        }
    }
}
