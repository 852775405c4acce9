using System.Diagnostics;

namespace Ztunnel.LoadBench.Measurement;

/// <summary>CPU used between two moments by the watched groups, by the load itself and by strangers.</summary>
internal sealed class UsageWindow(int[][] watched, int[] load)
{
    private long _startedAt;
    private Sample _begin = new([], 0, 0);
    private Sample _end = new([], 0, 0);

    public double Seconds { get; private set; }

    public double[] CpuSeconds => [.. _end.Groups.Zip(_begin.Groups, static (end, begin) => end - begin)];

    public double LoadCpuSeconds => _end.Load - _begin.Load;

    /// <summary>A neighbour that compiles while we measure shows here; the report marks such runs.</summary>
    public double ForeignCpuSeconds => Math.Max(0, _end.Machine - _begin.Machine - LoadCpuSeconds - CpuSeconds.Sum());

    public void Begin()
    {
        _begin = Take();
        _startedAt = Stopwatch.GetTimestamp();
    }

    public void End()
    {
        Seconds = Stopwatch.GetElapsedTime(_startedAt).TotalSeconds;
        _end = Take();
    }

    private Sample Take() => new([.. watched.Select(static group => ProcessUsage.CpuSeconds(group))], ProcessUsage.CpuSeconds(load), ProcessUsage.MachineBusySeconds());

    private sealed record Sample(double[] Groups, double Load, double Machine);
}
