using Ztunnel.Http2.FlowControl;

namespace Ztunnel.Http2.Tests.FlowControl;

/// <summary>How much may be under way, by the delay of the path and the rate (decisions/0008).</summary>
public sealed class FlightTargetTests
{
    private const int Largest = 16 * 1024 * 1024;
    private const int Shared = FlightTarget.SharedStandingBytes;
    private const int Bulk = FlightTarget.BulkStandingBytes;

    /// <summary>Where a path of this round trip and rate ends, bytes a millisecond, when the sender uses all it is given.</summary>
    [Theory]
    [InlineData(0.03, 1_000_000, Shared, Shared + 100_000)]                      // two pods of a node: a queue, not a path
    [InlineData(0.3, 1_250_000, Shared + 740_000, Shared + 800_000)]             // one data centre, 10 Gbit/s: twice 375 kB and the standing amount
    [InlineData(2, 1_250_000, Shared + 4_800_000, Shared + 5_200_000)]           // between zones
    [InlineData(50, 125_000, Shared + 12_200_000, Shared + 12_700_000)]          // 1 Gbit/s across a continent: twice 6.25 MB
    [InlineData(100, 1_250_000, Largest, Largest)]                               // 10 Gbit/s across an ocean: the largest window is less than it takes
    [InlineData(100, 1_250, Shared, Shared + 260_000)]                           // 10 Mbit/s there
    public void Measure_BesideSmallStreams_FillsThePathAndLittleMore(double roundTripMilliseconds, int bytesPerMillisecond, int least, int most)
    {
        var target = new FlightTarget(Largest);
        var roundTrip = TimeSpan.FromMilliseconds(roundTripMilliseconds);
        long now = 1;
        target.SmallStreamSeen();
        target.Measure(now, roundTrip);
        Assert.Equal(Shared, target.Bytes);
        for (int period = 0; period < 30; period++)
        {
            target.SmallStreamSeen();
            Run(ref target, ref now, roundTrip, Math.Min(bytesPerMillisecond, target.Bytes / roundTripMilliseconds));
        }

        Assert.InRange(target.Bytes, least, most);
    }

    [Fact]
    public void Measure_SmallStreamComesAndGoes_TargetFollows()
    {
        var target = new FlightTarget(Largest);
        TimeSpan roundTrip = TimeSpan.FromMicroseconds(30);
        long now = 1;
        target.Measure(now, roundTrip);
        Run(ref target, ref now, roundTrip, 1_000_000);
        Assert.Equal(Bulk, target.Bytes);

        long came = now;
        target.SmallStreamSeen();
        while (target.Bytes > Shared + 100_000)
            Run(ref target, ref now, roundTrip, 1_000_000);
        Assert.InRange(now - came, 1, 200);
        while (target.Bytes < Bulk)
            Run(ref target, ref now, roundTrip, 1_000_000);
        Assert.InRange(now - came, 250, 300);
    }

    [Fact]
    public void Next_WhileTheTargetHoldsTheRateBack_DoublesAtLeast()
    {
        TimeSpan roundTrip = TimeSpan.FromMilliseconds(80);
        int current = Shared;
        for (int round = 0; round < 3; round++)
        {
            int next = FlightTarget.Next(current, current, elapsed: roundTrip, roundTrip, Shared, Largest);
            Assert.InRange(next, 2 * current, Largest);
            current = next;
        }
    }

    [Fact]
    public void Next_QueueOnTop_DoesNotCount()
    {
        // The real round trip is 5 ms because of a queue; the path's is 0.05 ms.
        int next = FlightTarget.Next(Shared, Shared * 2, TimeSpan.FromMilliseconds(10), TimeSpan.FromMilliseconds(0.05), Shared, Largest);

        Assert.InRange(next, Shared, Shared + (Shared / 10));
    }

    [Fact]
    public void Next_RateFalls_ShrinksByAQuarterAtATime()
    {
        TimeSpan roundTrip = TimeSpan.FromMilliseconds(50);
        int next = FlightTarget.Next(Largest, arrivedBytes: 0, roundTrip, roundTrip, Shared, Largest);
        Assert.Equal(Largest / 4 * 3, next);
        for (int round = 0; round < 30; round++)
            next = FlightTarget.Next(next, arrivedBytes: 0, roundTrip, roundTrip, Shared, Largest);
        Assert.Equal(Shared, next);
    }

    [Fact]
    public void Measure_AfterAPause_ChangesNothing()
    {
        var target = new FlightTarget(Largest);
        TimeSpan roundTrip = TimeSpan.FromMilliseconds(50);
        long now = 1;
        target.SmallStreamSeen();
        target.Measure(now, roundTrip);
        for (int period = 0; period < 10; period++)
        {
            target.SmallStreamSeen();
            Run(ref target, ref now, roundTrip, 50_000);
        }
        int before = target.Bytes;
        Assert.InRange(before, Shared + 1_000_000, Bulk - 1_000_000);

        now += 60_000;
        Assert.True(target.IsDue(now));
        target.Measure(now, roundTrip);

        Assert.Equal(before, target.Bytes);
    }

    [Fact]
    public void IsDue_NotBeforeARoundTripHasPassed()
    {
        var target = new FlightTarget(Largest);
        Assert.True(target.IsDue(1));
        target.Measure(1, TimeSpan.FromMilliseconds(100));

        Assert.False(target.IsDue(101));
        Assert.True(target.IsDue(200));
    }

    [Fact]
    public void Measure_SmallConnectionWindow_StaysTheMost()
    {
        var target = new FlightTarget(100_000);
        long now = 1;
        target.Measure(now, TimeSpan.FromMilliseconds(50));
        for (int period = 0; period < 10; period++)
            Run(ref target, ref now, TimeSpan.FromMilliseconds(50), 125_000);

        Assert.Equal(100_000, target.Bytes);
    }

    private static void Run(ref FlightTarget target, ref long now, TimeSpan roundTrip, double bytesPerMillisecond)
    {
        for (; !target.IsDue(now); now++)
            target.Arrived((int)bytesPerMillisecond);
        target.Measure(now, roundTrip);
    }
}
