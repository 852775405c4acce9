namespace Ztunnel.Telemetry.Metrics;

/// <summary>
/// A fixed number of counts in one row for each event loop: for areas with many small counters, such as one for each reason. A loop adds to its own row with a plain 64-bit add that no other thread
/// writes; rows are added up when somebody reads.
/// </summary>
public sealed class LoopCells
{
    // Two cache lines before and behind: what lies beside a row belongs to other loops once the collector has moved things together.
    private const int Padding = 16;

    private readonly long[][] _rows;

    public LoopCells(int loops, int cells)
    {
        _rows = new long[loops][];
        for (int loop = 0; loop < loops; loop++)
            _rows[loop] = new long[cells + 2 * Padding];
    }

    /// <summary>Called by the loop's own thread only.</summary>
    public void Add(int loop, int cell, long amount = 1)
    {
        ref long value = ref _rows[loop][Padding + cell];
        Volatile.Write(ref value, value + amount);
    }

    /// <summary>The sum over all loops. Any thread.</summary>
    public long Read(int cell)
    {
        long sum = 0;
        foreach (long[] row in _rows)
            sum += Volatile.Read(ref row[Padding + cell]);
        return sum;
    }
}
