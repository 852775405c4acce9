namespace Ztunnel.Lifetime;

/// <summary>Decides when pages of the program go back where no collection does that, which follows large work: after a rest so long that a client that comes every few seconds finds the program where it was.</summary>
internal sealed class PagesAtRest
{
    // One is a second.
    private const int LooksBeforeRelease = 30;

    // Work since the last release that is worth another one: scrapes and keep-alives of half a minute stay below it, adding a pod does not.
    private static readonly TimeSpan Worth = TimeSpan.FromMilliseconds(1);

    private int _looksAtRest;
    private long _busyAtRelease;

    /// <param name="rests">Whether the loops had nothing to do in the last period.</param>
    /// <param name="busyNanoseconds">What they have worked since the start.</param>
    public bool IsWorthReleasing(bool rests, long busyNanoseconds)
    {
        _looksAtRest = rests ? _looksAtRest + 1 : 0;
        if (_looksAtRest < LooksBeforeRelease || busyNanoseconds - _busyAtRelease < Worth.TotalNanoseconds)
            return false;

        _busyAtRelease = busyNanoseconds;
        return true;
    }

    /// <summary>They are given back for another reason.</summary>
    public void Released(long busyNanoseconds) => _busyAtRelease = busyNanoseconds;
}
