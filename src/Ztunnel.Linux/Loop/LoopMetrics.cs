using System.Diagnostics;

namespace Ztunnel.Linux.Loop;

/// <summary>How busy a loop is. Written by its thread with plain stores, read by scrapes: a value may be a turn old.</summary>
public sealed class LoopMetrics
{
    private readonly long[] _slowTurns = new long[SlowTurnLimits.Length];
    private long _turnStarted;
    private long _longestTurn;

    /// <summary>Turns longer than these are counted apart: a connection of the loop that became ready meanwhile was that late.</summary>
    public static readonly TimeSpan[] SlowTurnLimits = [TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(10), TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(1)];

    internal LoopMetrics()
    {
    }

    public long Turns { get; private set; }

    public long Events { get; private set; }

    public long Posts { get; internal set; }

    public long TimersFired { get; internal set; }

    /// <summary>Time spent outside epoll_wait.</summary>
    public long BusyNanoseconds { get; private set; }

    /// <summary>The longest turn since <see cref="ResetLongestTurn"/>: for so long every other connection of the loop had to wait.</summary>
    public long LongestTurnNanoseconds => Volatile.Read(ref _longestTurn);

    /// <summary>How long the turn that runs now has been running; zero while the loop waits for events. A large value means that a handler is stuck.</summary>
    public long CurrentTurnNanoseconds
    {
        get
        {
            long started = Volatile.Read(ref _turnStarted);
            return started == 0 ? 0 : Math.Max(0, Stopwatch.GetTimestamp() - started);
        }
    }

    /// <summary>Turns that took longer than <see cref="SlowTurnLimits"/>[<paramref name="limit"/>].</summary>
    public long SlowTurns(int limit) => Volatile.Read(ref _slowTurns[limit]);

    public void ResetLongestTurn() => Volatile.Write(ref _longestTurn, 0);

    internal void TurnStarted(long timestamp, int events)
    {
        Volatile.Write(ref _turnStarted, timestamp);
        Events += events;
    }

    internal void TurnEnded(long timestamp)
    {
        long duration = timestamp - _turnStarted;
        Volatile.Write(ref _turnStarted, 0);
        Turns++;
        BusyNanoseconds += duration;
        if (duration > _longestTurn)
        {
            Volatile.Write(ref _longestTurn, duration);
        }

        for (int limit = 0; limit < _slowTurns.Length && duration > SlowTurnLimits[limit].Ticks * TimeSpan.NanosecondsPerTick; limit++)
        {
            Volatile.Write(ref _slowTurns[limit], _slowTurns[limit] + 1);
        }
    }
}
