namespace Ztunnel.Http2.Connection;

/// <summary>
/// Allowances for what a peer may make us do, see <see cref="Http2Limits"/>. Each is a number that falls with use and is refilled as time passes; a Take that returns false
/// ends the connection.
/// </summary>
internal sealed class AbuseGuard
{
    private readonly Http2Limits _limits;
    private long _refilledAt;
    private int _resetsBeforeAccept;
    private int _resetsBeforeResponse;
    private int _causedResets;
    private int _settings;
    private int _goAways;
    private int _pings;
    private int _emptyData;
    private int _windowUpdates;
    private int _ignoredFrames;

    public AbuseGuard(Http2Limits limits, long nowMilliseconds)
    {
        _limits = limits;
        _refilledAt = nowMilliseconds;
        _resetsBeforeResponse = limits.ResetsBeforeResponse;
        _causedResets = limits.CausedResets;
        _settings = limits.Settings;
        _goAways = limits.GoAways;
        _pings = limits.Pings;
        _emptyData = limits.EmptyData;
        _windowUpdates = limits.WindowUpdates;
        _ignoredFrames = limits.IgnoredFrames;
    }

    public void BeginReceive() => _resetsBeforeAccept = _limits.ResetsBeforeAccept;

    public bool TakeResetBeforeAccept() => --_resetsBeforeAccept >= 0;

    public bool TakeResetBeforeResponse() => --_resetsBeforeResponse >= 0;

    public bool TakeCausedReset() => --_causedResets >= 0;

    public bool TakeSettings() => --_settings >= 0;

    public bool TakeGoAway() => --_goAways >= 0;

    public bool TakePing() => --_pings >= 0;

    public bool TakeEmptyData() => --_emptyData >= 0;

    public bool TakeWindowUpdate() => --_windowUpdates >= 0;

    public bool TakeIgnoredFrame() => --_ignoredFrames >= 0;

    public void DataFrameSent() => Add(ref _windowUpdates, _limits.WindowUpdatesPerDataFrame, _limits.WindowUpdates);

    public void Refill(long nowMilliseconds)
    {
        double share = (nowMilliseconds - _refilledAt) / _limits.RefillPeriod.TotalMilliseconds;
        if (share < 0.05)
            return;    // so that small allowances do not lose their fractions to frequent ticks
        _refilledAt = nowMilliseconds;
        share = Math.Min(share, 1);
        Refill(ref _resetsBeforeResponse, share, _limits.ResetsBeforeResponse);
        Refill(ref _causedResets, share, _limits.CausedResets);
        Refill(ref _settings, share, _limits.Settings);
        Refill(ref _goAways, share, _limits.GoAways);
        Refill(ref _pings, share, _limits.Pings);
        Refill(ref _emptyData, share, _limits.EmptyData);
        Refill(ref _windowUpdates, share, _limits.WindowUpdates);
        Refill(ref _ignoredFrames, share, _limits.IgnoredFrames);
    }

    private static void Refill(ref int left, double share, int limit) => Add(ref left, (int)(share * limit), limit);

    private static void Add(ref int left, int more, int limit) => left = (int)Math.Min(limit, (long)left + more);
}
