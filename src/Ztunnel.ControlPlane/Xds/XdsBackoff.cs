namespace Ztunnel.ControlPlane.Xds;

/// <summary>How long to wait before the next stream (control-path 3.9 with W-5 of 12.2): every ending waits, and no two nodes wait the same.</summary>
/// <remarks>An orderly end of a stream that worked finds the shortest wait, so reconnecting is all but immediate; without any response even orderly ends add up.</remarks>
internal sealed class XdsBackoff
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Last = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan AtLeast = TimeSpan.FromMilliseconds(10);

    private TimeSpan _upTo = First;

    /// <summary>A response was applied: the server is well.</summary>
    public void OnApplied() => _upTo = First;

    /// <param name="jitter">From 0 to 1.</param>
    public TimeSpan Next(double jitter)
    {
        TimeSpan wait = TimeSpan.FromTicks(Math.Max((long)(jitter * _upTo.Ticks), AtLeast.Ticks));
        _upTo = TimeSpan.FromTicks(Math.Min(_upTo.Ticks * 2, Last.Ticks));
        return wait;
    }
}
