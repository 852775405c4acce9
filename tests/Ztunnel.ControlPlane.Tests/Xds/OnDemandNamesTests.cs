using Ztunnel.ControlPlane.Xds;

namespace Ztunnel.ControlPlane.Tests.Xds;

/// <summary>The names of on-demand mode are bounded: a pod that dials through an address range must neither fill the memory nor keep others from being answered.</summary>
public sealed class OnDemandNamesTests
{
    [Fact]
    public async Task Names_AtTheLimit_TheOldestNegativeAnswerMakesRoom()
    {
        OnDemandNames names = new(limit: 3);
        Ask(names, "used");
        names.OnPresent("used", []);
        foreach (string nobody in (string[])["first", "second"])
        {
            Ask(names, nobody);
            names.OnAbsent(nobody);
        }

        Ask(names, "new");

        Assert.Equal(["first"], names.TakeEvicted());
        Assert.Empty(names.TakeEvicted());
        Assert.False(names.TryBegin("second", out Task<OnDemandOutcome>? second));
        Assert.Equal(OnDemandOutcome.Absent, await second!);
        Assert.False(names.TryBegin("used", out Task<OnDemandOutcome>? used));
        Assert.Equal(OnDemandOutcome.Found, await used!);
        // It may be asked for again, which takes the place of the next.
        Ask(names, "first");
        Assert.Equal(["second"], names.TakeEvicted());
    }

    [Fact]
    public void Names_AllInUseOrWaiting_RefuseMore()
    {
        OnDemandNames names = new(limit: 2);
        Ask(names, "waiting");
        Ask(names, "used");
        names.OnPresent("used", []);

        Assert.False(names.TryBegin("more", out Task<OnDemandOutcome>? answer));
        Assert.Null(answer);
    }

    [Fact]
    public void Names_ThatCameIntoBeing_AreNotEvicted()
    {
        OnDemandNames names = new(limit: 2);
        for (int flap = 0; flap < 10; flap++)
        {
            names.TryBegin("flapping", out _);
            names.OnAbsent("flapping");
            names.OnPresent("flapping", []);
        }

        Ask(names, "nobody");
        names.OnAbsent("nobody");
        Ask(names, "new");

        Assert.Equal(["nobody"], names.TakeEvicted());
    }

    private static void Ask(OnDemandNames names, string name)
    {
        Assert.True(names.TryBegin(name, out _));
        Assert.True(names.TryAsk(name, stream: 1));
    }
}
