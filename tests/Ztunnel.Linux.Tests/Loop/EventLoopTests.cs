using Ztunnel.Linux.Loop;

namespace Ztunnel.Linux.Tests.Loop;

public class EventLoopTests
{
    [Fact]
    public async Task Post_FromSeveralThreads_EachThreadsOrderIsKept()
    {
        const int PerThread = 5_000;
        using var fixture = new LoopFixture();
        var seen = new List<int>[4];
        var done = new CountdownEvent(seen.Length * PerThread);
        Thread[] threads = [.. Enumerable.Range(0, seen.Length).Select(index =>
        {
            List<int> mine = seen[index] = [];
            return new Thread(() =>
            {
                for (int number = 0; number < PerThread; number++)
                {
                    int value = number;
                    fixture.Loop.Post(_ =>
                    {
                        mine.Add(value);
                        done.Signal();
                    }, null);
                }
            });
        })];

        Array.ForEach(threads, thread => thread.Start());

        Assert.True(await Task.Run(() => done.Wait(LoopFixture.Limit)));
        Assert.All(seen, list => Assert.Equal(Enumerable.Range(0, PerThread), list));
    }

    /// <summary>Found a wake-up that was lost when it arrived a turn after its call had been taken: the mark of a pending wake-up stayed set for good.</summary>
    [Fact]
    public async Task Post_ToAndFroBetweenSleepingLoops_EveryWakeUpArrives()
    {
        const int Rounds = 20_000;
        using var fixture = new LoopFixture(loops: 3);
        var done = new CountdownEvent(3);
        foreach (EventLoop loop in fixture.Loops.Loops)
        {
            var token = new Token(fixture.Loops, Rounds, done);
            loop.Post(token.Pass, null);
        }

        Assert.True(await Task.Run(() => done.Wait(LoopFixture.Limit)));
    }

    [Fact]
    public async Task Await_OfForeignTask_ComesBackToTheLoop()
    {
        using var fixture = new LoopFixture(loops: 2);

        (EventLoop? before, EventLoop? inside, EventLoop? after) = await LoopFixture.On(fixture.Loops.Loops[1], async _ =>
        {
            EventLoop? before = EventLoop.Current;
            EventLoop? inside = await Task.Run(() => EventLoop.Current);
            return (before, inside, EventLoop.Current);
        });

        Assert.Same(fixture.Loops.Loops[1], before);
        Assert.Null(inside);
        Assert.Same(fixture.Loops.Loops[1], after);
    }

    [Fact]
    public async Task Run_ExceptionsOfPostTimerAndItems_AreReportedAndTheLoopGoesOn()
    {
        var reported = new List<string>();
        using LoopGroup loops = LoopGroup.Start(1, exception => reported.Add(exception.Message));
        EventLoop loop = loops.Loops[0];
        var done = new TaskCompletionSource();

        loop.Post(_ => throw new InvalidOperationException("post"), null);
        loop.Post(_ =>
        {
            loop.EnqueueReady(new Item(() => throw new InvalidOperationException("ready")));
            loop.EnqueueFlush(new Item(() => throw new InvalidOperationException("flush")));
            new LoopTimer(loop, static _ => throw new InvalidOperationException("timer"), null).Arm(TimeSpan.Zero);
            new LoopTimer(loop, _ => done.SetResult(), null).Arm(TimeSpan.FromMilliseconds(5));
        }, null);

        await done.Task.WaitAsync(LoopFixture.Limit);
        Assert.Equal(["flush", "post", "ready", "timer"], reported.Order());
    }

    [Fact]
    public async Task AsyncVoid_ThatThrows_IsReported()
    {
        var reported = new TaskCompletionSource<Exception>();
        using LoopGroup loops = LoopGroup.Start(1, exception => reported.SetResult(exception));

        loops.Loops[0].Post(static async _ =>
        {
            await Task.Yield();
            throw new InvalidOperationException("late");
        }, null);

        Assert.Equal("late", (await reported.Task.WaitAsync(LoopFixture.Limit)).Message);
    }

    [Fact]
    public async Task EnqueueFlush_DuringATurn_RunsAfterEverythingElseOfThatTurnAndOnce()
    {
        using var fixture = new LoopFixture();
        var order = new List<string>();

        await fixture.OnLoop(async loop =>
        {
            var flushed = new TaskCompletionSource();
            var flush = new Item(() =>
            {
                order.Add("flush");
                flushed.SetResult();
            });
            loop.EnqueueFlush(flush);
            loop.EnqueueFlush(flush);
            loop.EnqueueReady(new Item(() => order.Add("ready")));
            order.Add("post");
            await flushed.Task;
        });

        Assert.Equal(["post", "ready", "flush"], order);
    }

    [Fact]
    public async Task EnqueueReady_ByTheItemItself_RunsInTheNextTurn()
    {
        using var fixture = new LoopFixture();
        var turns = new List<long>();

        await fixture.OnLoop(async loop =>
        {
            var done = new TaskCompletionSource();
            Item item = null!;
            item = new Item(() =>
            {
                turns.Add(loop.Metrics.Turns);
                if (turns.Count == 3)
                {
                    done.SetResult();
                }
                else
                {
                    loop.EnqueueReady(item);
                }
            });
            loop.EnqueueReady(item);
            await done.Task;
        });

        Assert.Equal([turns[0], turns[0] + 1, turns[0] + 2], turns);
    }

    [Fact]
    public async Task Timer_ArmedAgainBeforeItFires_FiresOnceAtTheLaterTimeAndNotEarly()
    {
        using var fixture = new LoopFixture();

        await fixture.OnLoop(async loop =>
        {
            var fired = new List<long>();
            var done = new TaskCompletionSource();
            var timer = new LoopTimer(loop, _ => fired.Add(loop.NowMilliseconds), null);
            var last = new LoopTimer(loop, _ => done.SetResult(), null);
            long started = loop.NowMilliseconds;

            timer.Arm(TimeSpan.FromMilliseconds(20));
            timer.Arm(TimeSpan.FromMilliseconds(30));
            last.Arm(TimeSpan.FromMilliseconds(60));
            await done.Task;

            Assert.InRange(Assert.Single(fired) - started, 30, 10_000);
            Assert.False(timer.IsArmed);
        });
    }

    [Fact]
    public async Task Timer_Cancelled_DoesNotFire()
    {
        using var fixture = new LoopFixture();

        await fixture.OnLoop(async loop =>
        {
            bool fired = false;
            var done = new TaskCompletionSource();
            var timer = new LoopTimer(loop, _ => fired = true, null);
            var last = new LoopTimer(loop, _ => done.SetResult(), null);

            timer.Arm(TimeSpan.FromMilliseconds(5));
            last.Arm(TimeSpan.FromMilliseconds(20));
            timer.Cancel();
            await done.Task;

            Assert.False(fired);
        });
    }

    [Fact]
    public async Task Stop_PostedCallsBefore_StillRunAndLaterOnesAreRefused()
    {
        using LoopGroup loops = LoopGroup.Start(1);
        EventLoop loop = loops.Loops[0];
        int ran = 0;
        for (int number = 0; number < 1000; number++)
        {
            loop.Post(_ => ran++, null);
        }

        await Task.Run(loop.Stop).WaitAsync(LoopFixture.Limit);

        Assert.Equal(1000, ran);
        Assert.False(loop.Post(_ => ran++, null));
    }

    [Fact]
    public async Task Scratch_IsLargeEnoughForTwelveRecordsAndStaysInPlace()
    {
        using var fixture = new LoopFixture();

        await fixture.OnLoop(loop =>
        {
            Assert.Equal(200 * 1024, loop.ReceiveScratch.Length);
            Assert.Same(loop.SendScratch, loop.SendScratch);
            Assert.NotSame(loop.ReceiveScratch, loop.SendScratch);
            loop.SendScratch.Span.Fill(7);
            return true;
        });
    }

    [Fact]
    public async Task Metrics_AfterWork_CountTurnsAndTime()
    {
        using var fixture = new LoopFixture();

        await fixture.OnLoop(_ => true);
        await fixture.OnLoop(_ => true);

        LoopMetrics metrics = fixture.Loop.Metrics;
        Assert.InRange(metrics.Posts, 2, 100);
        Assert.InRange(metrics.Turns, 1, 100);
        Assert.InRange(metrics.LongestTurnNanoseconds, 1, metrics.BusyNanoseconds);
        metrics.ResetLongestTurn();
        Assert.Equal(0, metrics.LongestTurnNanoseconds);
    }

    private sealed class Item(Action run) : ILoopItem
    {
        public bool IsQueued { get; set; }

        public void Run() => run();
    }

    /// <summary>Wanders from loop to loop.</summary>
    private sealed class Token(LoopGroup loops, int rounds, CountdownEvent done)
    {
        private int _round;

        public void Pass(object? state)
        {
            if (++_round == rounds)
            {
                done.Signal();
            }
            else
            {
                loops.Next().Post(Pass, null);
            }
        }
    }
}
