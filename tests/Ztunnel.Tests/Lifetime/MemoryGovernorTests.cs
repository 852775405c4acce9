using Microsoft.Extensions.Logging;
using Ztunnel.Lifetime;
using Ztunnel.Linux.Process;
using Ztunnel.Proxy.Accepting;
using Ztunnel.Testing.Logging;
using Ztunnel.Testing.Time;

namespace Ztunnel.Tests.Lifetime;

/// <summary>New connections are refused above the mark and let in again well below it; the log says so once a second.</summary>
public sealed class MemoryGovernorTests : IDisposable
{
    private const int Percent = 90;

    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();
    private readonly AdmissionGate _gate = new();
    private readonly MemoryGovernor _governor;
    private Func<MemoryUse?> _read = static () => new MemoryUse(10, 100);

    public MemoryGovernorTests()
    {
        _governor = new MemoryGovernor(() => _read(), Percent, _gate, _time, _log);
        _time.Advance(TimeSpan.Zero);
    }

    public void Dispose() => _governor.Dispose();

    [Fact]
    public void Use_BelowTheMark_IsOpen()
    {
        Use(89);

        Assert.False(_gate.IsClosed);
        Assert.Empty(_log.Lines(LogLevel.Warning));
    }

    [Fact]
    public void Use_AtTheMark_ClosesAndSaysWhatIsUsed()
    {
        Use(90);

        Assert.True(_gate.IsClosed);
        Assert.Contains("memory is short", Assert.Single(_log.Lines(LogLevel.Warning)), StringComparison.Ordinal);
    }

    [Fact]
    public void Use_FallsALittle_StaysClosed_WellBelow_Opens()
    {
        Use(95);

        Use(82);
        Assert.True(_gate.IsClosed);
        Use(80);

        Assert.False(_gate.IsClosed);
        Assert.Contains("memory suffices again", Assert.Single(_log.Lines(LogLevel.Information)), StringComparison.Ordinal);
    }

    [Fact]
    public void Short_ForTenSeconds_SaysSoOnceASecond()
    {
        Use(95);

        _time.Advance(TimeSpan.FromSeconds(10));

        Assert.InRange(_log.Count(LogLevel.Warning, "memory is short"), 9, 12);
    }

    [Fact]
    public void Use_AboveHalf_IsLookedAtTenTimesASecond()
    {
        int looks = 0;
        _read = () =>
        {
            looks++;
            return new MemoryUse(60, 100);
        };
        _time.Advance(TimeSpan.FromSeconds(1));
        looks = 0;

        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.InRange(looks, 9, 11);
    }

    /// <summary>More connections than there is memory for, all of them between two looks of the clock.</summary>
    [Fact]
    public void Crowd_WithinOnePeriod_IsRefusedBeforeTheLimit()
    {
        const long MiB = 1024 * 1024;
        long used = 10 * MiB;
        _read = () => new MemoryUse(used, 100 * MiB);
        _time.Advance(TimeSpan.FromSeconds(1));

        int admitted = 0;
        while (!_gate.Refuses() && admitted < 10_000)
        {
            admitted++;
            used += 48 * 1024;
        }

        Assert.True(_gate.IsClosed);
        Assert.InRange(used, 90 * MiB, 95 * MiB);
    }

    [Fact]
    public void Limit_IsTakenAway_OpensAgain()
    {
        Use(95);
        _read = static () => null;

        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.False(_gate.IsClosed);
    }

    /// <summary>Both are what a file of the system may answer; out of a timer either would end the process.</summary>
    [Theory]
    [InlineData(typeof(IOException), "Too many open files")]
    [InlineData(typeof(UnauthorizedAccessException), "Permission denied")]
    public void Read_Fails_IsSaidAndTriedAgain(Type kind, string problem)
    {
        _read = () => throw (Exception)Activator.CreateInstance(kind, problem)!;
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Contains(problem, Assert.Single(_log.Lines(LogLevel.Warning)), StringComparison.Ordinal);

        Use(95);

        Assert.True(_gate.IsClosed);
    }

    [Fact]
    public void Source_OwnLimit_IsComparedWithResidentMemory()
    {
        MemoryUse use = MemoryGovernor.Source(1L << 40)()!.Value;

        Assert.Equal(1L << 40, use.LimitBytes);
        Assert.InRange(use.UsedBytes, 1, 1L << 40);
    }

    private void Use(long used)
    {
        _read = () => new MemoryUse(used, 100);
        _time.Advance(TimeSpan.FromSeconds(1));
    }
}
