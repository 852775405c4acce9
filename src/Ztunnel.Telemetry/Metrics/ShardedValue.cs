namespace Ztunnel.Telemetry.Metrics;

/// <summary>
/// One number kept in a cell for each event loop and one for all other threads. A loop adds to its own cell with a plain 64-bit add, which no other thread writes; the sum is made when it is read.
/// </summary>
internal sealed class ShardedValue(int loops)
{
    // Two cache lines for each cell: neighbouring lines are fetched in pairs, and loops must not take them from one another.
    private const int Stride = 16;

    // A stride of room before the first and after the last cell: what lies beside the array belongs to others.
    private readonly long[] _cells = new long[(loops + 3) * Stride];

    /// <summary>Called by the loop's own thread only.</summary>
    public void Add(int loop, long amount)
    {
        ref long cell = ref _cells[(loop + 2) * Stride];
        Volatile.Write(ref cell, cell + amount);
    }

    /// <summary>For threads that own no cell.</summary>
    public void Add(long amount) => Interlocked.Add(ref _cells[Stride], amount);

    /// <summary>For gauges that are set, not counted, by threads that own no cell.</summary>
    public void Set(long value) => Interlocked.Exchange(ref _cells[Stride], value);

    public long Read()
    {
        long sum = 0;
        for (int cell = Stride; cell < _cells.Length - Stride; cell += Stride)
            sum += Volatile.Read(ref _cells[cell]);
        return sum;
    }
}
