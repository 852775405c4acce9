using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Tests.Loop;

public class WatchTableTests
{
    [Fact]
    public void Find_AfterTheSlotWasGivenToAnother_StaleEventFindsNobody()
    {
        using var loop = new EventLoop(0, "unused");
        var table = new WatchTable();
        var first = new IdleWatch(loop);
        var second = new IdleWatch(loop);

        ulong stale = table.Add(first);
        table.Remove(first);
        ulong current = table.Add(second);

        Assert.Equal((uint)stale, (uint)current);
        Assert.Null(table.Find(stale));
        Assert.Same(second, table.Find(current));
    }

    [Fact]
    public void Add_ManyWatches_EachIsFoundByItsOwnData()
    {
        using var loop = new EventLoop(0, "unused");
        var table = new WatchTable();
        IdleWatch[] watches = [.. Enumerable.Range(0, 100).Select(_ => new IdleWatch(loop))];

        ulong[] data = [.. watches.Select(table.Add)];

        Assert.Equal(watches, data.Select(table.Find));
        Assert.Equal(100, table.Count);
    }

    private sealed class IdleWatch(EventLoop loop) : LoopWatch(loop)
    {
        internal override void OnEvents(uint events)
        {
        }

        internal override void Abandon()
        {
        }
    }
}
