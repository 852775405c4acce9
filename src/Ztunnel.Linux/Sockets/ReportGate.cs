namespace Ztunnel.Linux.Sockets;

/// <summary>Lets one report pass each second and counts the others: with the descriptors gone, every listener of every pod fails at once.</summary>
internal sealed class ReportGate
{
    private const long IntervalMilliseconds = 1000;

    // Shared by all loops.
    private long _nextPassage = long.MinValue;
    private long _suppressed;

    public bool TryPass(long nowMilliseconds, out long suppressed)
    {
        long next = Volatile.Read(ref _nextPassage);
        if (nowMilliseconds >= next && Interlocked.CompareExchange(ref _nextPassage, nowMilliseconds + IntervalMilliseconds, next) == next)
        {
            suppressed = Interlocked.Exchange(ref _suppressed, 0);
            return true;
        }

        Interlocked.Increment(ref _suppressed);
        suppressed = 0;
        return false;
    }
}
