using System.Numerics;

namespace Ztunnel.LoadBench.Measurement;

/// <summary>
/// Counts of durations in buckets whose width follows the value: 128 to each power of two, so that every percentile is right within 0.8 %.
/// Holds nanoseconds up to 2^40 (18 minutes) in 34 KiB; recording is an index and an increment.
/// </summary>
internal sealed class LatencyHistogram
{
    private const int SubBits = 7;
    private const int SubBuckets = 1 << SubBits;
    private const int MaxBits = 40;

    private readonly long[] _counts = new long[(MaxBits - SubBits + 1) * SubBuckets];

    public long Count { get; private set; }

    public void Record(long nanoseconds)
    {
        _counts[IndexOf(Math.Clamp(nanoseconds, 0, (1L << MaxBits) - 1))]++;
        Count++;
    }

    public void Reset()
    {
        Array.Clear(_counts);
        Count = 0;
    }

    /// <summary>The duration in microseconds that the given share of the recorded ones does not exceed.</summary>
    public double PercentileMicroseconds(double percent)
    {
        long wanted = Math.Max(1, (long)Math.Ceiling(Count * percent / 100));
        long seen = 0;
        for (int index = 0; index < _counts.Length; index++)
        {
            seen += _counts[index];
            if (seen >= wanted)
            {
                return MiddleOf(index) / 1000;
            }
        }

        return 0;
    }

    public LatencySummary Summarise() => new(Count, PercentileMicroseconds(50), PercentileMicroseconds(90), PercentileMicroseconds(99), PercentileMicroseconds(99.9), PercentileMicroseconds(100));

    // Below 2 × SubBuckets the index is the value itself; above, each power of two takes another SubBuckets.
    private static int IndexOf(long value)
    {
        int shift = Math.Max(0, BitOperations.Log2((ulong)value | 1) - SubBits);
        return (shift << SubBits) + (int)(value >> shift);
    }

    private static double MiddleOf(int index)
    {
        int shift = Math.Max(0, (index >> SubBits) - 1);
        long low = (long)(index - (shift << SubBits)) << shift;
        return low + (((1L << shift) - 1) / 2.0);
    }
}

/// <summary>What a report keeps of a histogram, in microseconds.</summary>
internal sealed record LatencySummary(long Count, double P50, double P90, double P99, double P999, double Max);
