using Ztunnel.Http2.FlowControl;

namespace Ztunnel.Http2.Tests.FlowControl;

/// <summary>When a stream's window is raised, and when it is not (design D5).</summary>
public sealed class StreamReceiveWindowTests
{
    private const int Max = 4 * 1024 * 1024;

    [Fact]
    public void Credit_BelowHalf_WaitsAndThenCoversAll()
    {
        var window = new StreamReceiveWindow(1_000);
        Assert.True(window.TryTake(600));

        window.Consume(400);
        Assert.False(window.IsUpdateDue && window.WantedGrowth(Max) > 0);
        window.Consume(150);
        Assert.True(window.IsUpdateDue);
        Assert.Equal(550, window.TakeUpdate(growth: 0));
        Assert.Equal(50, window.Unconsumed);
    }

    [Fact]
    public void Take_MoreThanAvailable_IsRefused()
    {
        var window = new StreamReceiveWindow(1_000);

        Assert.True(window.TryTake(1_000));
        Assert.False(window.TryTake(1));
        Assert.Equal(1_000, window.Unconsumed);
    }

    [Fact]
    public void PeerStopsAtTheLimit_AndTheApplicationKeepsUp_DoublesUpToTheMaximum()
    {
        var window = new StreamReceiveWindow(256 * 1024);
        int available = window.Size;
        for (int i = 0; i < 6; i++)
        {
            Assert.True(window.TryTake(available));
            window.Consume(available);
            int growth = window.WantedGrowth(Max);
            available = window.TakeUpdate(growth);
        }
        Assert.Equal(Max, window.Size);
        Assert.Equal(Max, available);
        Assert.Equal(0, window.WantedGrowth(Max));
    }

    [Fact]
    public void PeerStopsAtTheLimitItKnew_WhileAnUpdateIsUnderWay_CountsAsHeldBack()
    {
        var window = new StreamReceiveWindow(1_000);
        window.TryTake(600);
        window.Consume(600);
        Assert.Equal(600, window.TakeUpdate(growth: 0));

        window.TryTake(400);    // all that the first window allowed
        window.Consume(400);
        window.TryTake(150);
        window.Consume(150);

        Assert.Equal(1_000, window.WantedGrowth(Max));
    }

    [Fact]
    public void PeerThatNeverReachesTheLimit_DoesNotGrow()
    {
        var window = new StreamReceiveWindow(1_000);
        for (int i = 0; i < 100; i++)
        {
            Assert.True(window.TryTake(301));
            window.Consume(301);
            Assert.Equal(0, window.WantedGrowth(Max));
            if (window.IsUpdateDue)
                window.TakeUpdate(growth: 0);
        }
    }

    [Fact]
    public void ApplicationThatDoesNotKeepUp_DoesNotGrow()
    {
        var window = new StreamReceiveWindow(1_000);
        window.TryTake(1_000);
        window.Consume(600);

        Assert.True(window.IsUpdateDue);
        Assert.Equal(0, window.WantedGrowth(Max));
    }
}
