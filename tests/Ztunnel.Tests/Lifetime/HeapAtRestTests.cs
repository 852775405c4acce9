using Ztunnel.Lifetime;

namespace Ztunnel.Tests.Lifetime;

public sealed class HeapAtRestTests
{
    private const long Mib = 1 << 20;

    [Theory]
    [InlineData(true, 3, true)]
    [InlineData(true, 1, false)]
    [InlineData(false, 30, false)]
    public void IsWorthCollecting_AfterStart_WhenAtRestAndMuchWasAllocated(bool rests, int allocatedMib, bool worth) =>
        Assert.Equal(worth, new HeapAtRest().IsWorthCollecting(rests, allocatedMib * Mib, sockets: 10));

    [Theory]
    [InlineData(10, 4, false)]
    [InlineData(10, 5, true)]
    [InlineData(200, 90, false)]
    [InlineData(200, 100, true)]
    public void IsWorthCollecting_LargerHeap_WaitsForMore(int liveMib, int moreMib, bool worth)
    {
        var heap = new HeapAtRest();
        heap.Collected(liveMib * Mib, 10 * Mib, sockets: 10);

        Assert.Equal(worth, heap.IsWorthCollecting(rests: true, (10 + moreMib) * Mib, sockets: 10));
    }

    [Theory]
    [InlineData(9_000, false)]
    [InlineData(500, true)]
    public void IsWorthCollecting_ConnectionsGone_CountsWhatTheyHeld(int socketsLeft, bool worth)
    {
        var heap = new HeapAtRest();
        heap.Collected(12 * Mib, 40 * Mib, sockets: 9_600);

        Assert.Equal(worth, heap.IsWorthCollecting(rests: true, 40 * Mib, socketsLeft));
    }

    [Fact]
    public void IsWorthCollecting_AfterCollection_NotAgainForTheSame()
    {
        var heap = new HeapAtRest();
        heap.Collected(3 * Mib, 40 * Mib, sockets: 20);

        Assert.False(heap.IsWorthCollecting(rests: true, 40 * Mib, sockets: 20));
    }
}
