namespace Ztunnel.Http2.FlowControl;

/// <summary>
/// How much a peer may have under way to us: what the path holds at the rate at which bytes arrive, twice, so that the rate can rise, and a standing amount that keeps both proxies busy.
/// All beyond that only waits in a queue, in front of the bytes of every other stream. So the standing amount is small while there are streams that say little, and large while there is only bulk.
/// </summary>
/// <remarks>
/// The round trip is the shortest one known: a queue makes the real one longer, and must not justify itself. Where it is long, the target doubles with each measurement until the rate stops rising.
/// Until the first measurement there is no target: the largest window counts. No clock here, as everywhere in HTTP/2: time comes with the measurements.
/// </remarks>
internal struct FlightTarget
{
    /// <summary>Beside small streams: a millisecond of what a proxy takes in (8 Gbit/s), of which half stands in the queue. Less costs bulk more, more makes the slowest echoes slower (decisions/0012).</summary>
    public const int SharedStandingBytes = 1024 * 1024;

    /// <summary>Bulk alone: the whole window of the defaults, so that neither proxy ever waits for it; gone in some milliseconds when a small stream comes.</summary>
    public const int BulkStandingBytes = 16 * 1024 * 1024;

    // Longer than the pauses of a client that asks again and again; whoever asks less often does not notice the first few milliseconds.
    private const int SmallStreamMemoryMilliseconds = 250;

    private const int ShortestPeriodMilliseconds = 10;

    // A pause says nothing about the path.
    private const int LongestPeriods = 10;

    private readonly int _largestBytes;
    private int _arrived;
    private long _since;
    private long _due;
    private long _sharedUntil;
    private bool _smallStreamSeen;

    public FlightTarget(int largestBytes) => Bytes = _largestBytes = largestBytes;

    public int Bytes { get; private set; }

    public void Arrived(int bytes) => _arrived = (int)Math.Min((long)_arrived + bytes, int.MaxValue);

    /// <summary>Bytes of a stream that says little have arrived.</summary>
    public void SmallStreamSeen() => _smallStreamSeen = true;

    public readonly bool IsDue(long nowMilliseconds) => nowMilliseconds >= _due;

    /// <summary>Ends one period of measurement and begins the next, which is longer than the round trip.</summary>
    public void Measure(long nowMilliseconds, TimeSpan roundTrip)
    {
        if (_smallStreamSeen)
            _sharedUntil = nowMilliseconds + SmallStreamMemoryMilliseconds;
        int standing = nowMilliseconds < _sharedUntil ? SharedStandingBytes : BulkStandingBytes;
        long elapsed = nowMilliseconds - _since;
        if (_due == 0)
            Bytes = Math.Min(standing, _largestBytes);
        else if (elapsed > 0 && elapsed <= (_due - _since) * LongestPeriods)
            Bytes = Next(Bytes, _arrived, TimeSpan.FromMilliseconds(elapsed), roundTrip, standing, _largestBytes);

        _arrived = 0;
        _smallStreamSeen = false;
        _since = nowMilliseconds;
        _due = nowMilliseconds + ShortestPeriodMilliseconds + (long)Math.Ceiling(roundTrip.TotalMilliseconds);
    }

    /// <summary>Grows at once, shrinks by a quarter: a rate that falls for a moment comes back more often than not.</summary>
    public static int Next(int current, long arrivedBytes, TimeSpan elapsed, TimeSpan roundTrip, int standingBytes, int largestBytes)
    {
        double held = arrivedBytes * (roundTrip / elapsed);
        int wanted = (int)Math.Min(standingBytes + (2 * held), largestBytes);
        return Math.Max(wanted, current - (current / 4));
    }
}
