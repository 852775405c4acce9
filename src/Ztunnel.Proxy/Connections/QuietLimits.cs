namespace Ztunnel.Proxy.Connections;

/// <summary>
/// How long open connections may stay without a byte (data-path 5.5 has no such limit). Looked at now and then rather than with a timer for each connection: the limits are long, and connections many.
/// </summary>
/// <param name="Idle">Both sides are open; null: for ever.</param>
/// <param name="HalfClosed">One side has ended; null: for ever.</param>
internal sealed record QuietLimits(TimeSpan? Idle, TimeSpan? HalfClosed)
{
    // A limit is kept to within a quarter of it: nobody sets a minute and counts the seconds.
    private const int LooksPerLimit = 4;
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestInterval = TimeSpan.FromMinutes(10);

    /// <summary>How often to look; null: not at all.</summary>
    public TimeSpan? Interval
    {
        get
        {
            TimeSpan? shortest = Idle is { } idle && !(HalfClosed < idle) ? idle : HalfClosed;
            if (shortest is not { } limit)
                return null;

            TimeSpan interval = limit / LooksPerLimit;
            return interval < ShortestInterval ? ShortestInterval : interval > LongestInterval ? LongestInterval : interval;
        }
    }

    /// <summary>How a connection ends that has been quiet for so long; null while it may stay.</summary>
    public ConnectionOutcome? Judge(TimeSpan quiet, bool halfClosed)
    {
        if (Idle is { } idle && quiet >= idle)
            return new ConnectionOutcome(EndReason.IdleTimedOut, $"connection closed: idle for {quiet.TotalSeconds:F0} s");
        if (halfClosed && HalfClosed is { } limit && quiet >= limit)
            return new ConnectionOutcome(EndReason.IdleTimedOut, $"connection closed: half-closed and idle for {quiet.TotalSeconds:F0} s");
        return null;
    }
}
