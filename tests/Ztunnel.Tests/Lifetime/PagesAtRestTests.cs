using Ztunnel.Lifetime;

namespace Ztunnel.Tests.Lifetime;

public sealed class PagesAtRestTests
{
    private const long TwoMilliseconds = 2_000_000;

    [Fact]
    public void IsWorthReleasing_AfterLongRest_OnceForEachPieceOfWork()
    {
        var pages = new PagesAtRest();

        Assert.Equal(1, Count(pages, looks: 100, busy: TwoMilliseconds));
        Assert.Equal(0, Count(pages, looks: 100, busy: TwoMilliseconds + 1));
        Assert.Equal(1, Count(pages, looks: 100, busy: 2 * TwoMilliseconds));
    }

    [Fact]
    public void IsWorthReleasing_WorkInBetween_StartsTheRestAnew()
    {
        var pages = new PagesAtRest();
        Assert.Equal(0, Count(pages, looks: 29, busy: TwoMilliseconds));
        Assert.False(pages.IsWorthReleasing(rests: false, TwoMilliseconds));

        Assert.Equal(0, Count(pages, looks: 29, busy: TwoMilliseconds));
        Assert.True(pages.IsWorthReleasing(rests: true, TwoMilliseconds));
    }

    [Fact]
    public void IsWorthReleasing_ReleasedForAnotherReason_NotAgain()
    {
        var pages = new PagesAtRest();
        pages.Released(TwoMilliseconds);

        Assert.Equal(0, Count(pages, looks: 100, busy: TwoMilliseconds));
    }

    private static int Count(PagesAtRest pages, int looks, long busy) =>
        Enumerable.Range(0, looks).Count(_ => pages.IsWorthReleasing(rests: true, busy));
}
