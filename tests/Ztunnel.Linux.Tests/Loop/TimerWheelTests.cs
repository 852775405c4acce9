using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Tests.Loop;

public class TimerWheelTests
{
    /// <summary>Starting times around the places where wheels roll over, the widest included.</summary>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(63, 2)]
    [InlineData((1L << 36) - 100, 3)]
    [InlineData((1L << 30) - 1, 4)]
    [InlineData(123_456_789, 5)]
    [InlineData((1L << 42) - 5, 6)]
    public void Advance_RandomTimers_FiresExactlyWhatASortedListWould(long start, int seed)
    {
        var random = new Random(seed);
        var fired = new List<ModelTimer>();
        var wheel = new TimerWheel(start, node => fired.Add((ModelTimer)node));
        var model = new List<ModelTimer>();
        long now = start;

        for (int step = 0; step < 3_000; step++)
        {
            int action = random.Next(10);
            if (action < 6)
            {
                var timer = new ModelTimer();
                wheel.Add(timer, now + RandomDelay(random));
                model.Add(timer);
            }
            else if (action < 8 && model.Count > 0)
            {
                ModelTimer victim = model[random.Next(model.Count)];
                wheel.Remove(victim);
                model.Remove(victim);
            }
            else
            {
                now += RandomDelay(random) / 3;
                wheel.Advance(now);
                List<ModelTimer> due = [.. model.Where(timer => timer.DueMilliseconds <= now)];
                model.RemoveAll(timer => timer.DueMilliseconds <= now);
                Assert.Equal(due.ToHashSet(), fired.ToHashSet());
                Assert.Equal(due.Count, fired.Count);
                Assert.Equal(fired.Select(timer => timer.DueMilliseconds), fired.Select(timer => timer.DueMilliseconds).Order());
                fired.Clear();
            }

            AssertNext(wheel, model, now);
            Assert.Equal(model.Count, wheel.Count);
        }
    }

    [Fact]
    public void NextMilliseconds_FollowedStepByStep_ReachesTheTimerInFewSteps()
    {
        bool fired = false;
        var wheel = new TimerWheel(17, _ => fired = true);
        wheel.Add(new ModelTimer(), 17 + 86_400_000);
        int steps = 0;

        while (!fired)
        {
            wheel.Advance(wheel.NextMilliseconds()!.Value);
            steps++;
        }

        Assert.InRange(steps, 1, 6);
        Assert.Null(wheel.NextMilliseconds());
    }

    [Fact]
    public void Add_DueInThePast_FiresInTheNextMillisecond()
    {
        var fired = new List<TimerNode>();
        var wheel = new TimerWheel(1000, fired.Add);
        var timer = new ModelTimer();

        wheel.Add(timer, 5);
        wheel.Advance(1000);
        Assert.Empty(fired);
        wheel.Advance(1001);

        Assert.Equal([timer], fired);
    }

    [Fact]
    public void Advance_CallbackRemovesOthersDueAtTheSameTime_TheyDoNotFire()
    {
        var timers = new ModelTimer[] { new(), new(), new() };
        var fired = new List<TimerNode>();
        TimerWheel wheel = null!;
        wheel = new TimerWheel(0, node =>
        {
            fired.Add(node);
            foreach (ModelTimer other in timers.Where(timer => timer.Slot != TimerNode.NotLinked))
            {
                wheel.Remove(other);
            }
        });
        foreach (ModelTimer timer in timers)
        {
            wheel.Add(timer, 100);
        }

        wheel.Advance(200);

        Assert.Single(fired);
        Assert.Null(wheel.NextMilliseconds());
    }

    [Fact]
    public void Advance_CallbackArmsItselfAgain_FiresAtEachDueTime()
    {
        var times = new List<long>();
        TimerWheel wheel = null!;
        wheel = new TimerWheel(0, node =>
        {
            times.Add(node.DueMilliseconds);
            wheel.Add(node, node.DueMilliseconds + 100);
        });
        wheel.Add(new ModelTimer(), 100);

        wheel.Advance(350);

        Assert.Equal([100, 200, 300], times);
    }

    private static long RandomDelay(Random random) => random.NextInt64(1L << random.Next(1, 24));

    private static void AssertNext(TimerWheel wheel, List<ModelTimer> model, long now)
    {
        if (model.Count == 0)
        {
            Assert.Null(wheel.NextMilliseconds());
            return;
        }

        long next = wheel.NextMilliseconds() ?? throw new InvalidOperationException("timers, but no next time");
        Assert.InRange(next, now + 1, model.Min(timer => timer.DueMilliseconds));
    }

    private sealed class ModelTimer : TimerNode;
}
