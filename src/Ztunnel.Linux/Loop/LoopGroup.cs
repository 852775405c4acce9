using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Loop;

/// <summary>The loops of the process. A connection is given to one of them and stays there.</summary>
public sealed class LoopGroup : IDisposable
{
    private readonly EventLoop[] _loops;
    private int _next = -1;

    private LoopGroup(EventLoop[] loops) => _loops = loops;

    public IReadOnlyList<EventLoop> Loops => _loops;

    /// <summary>Shared by all listeners on these loops.</summary>
    internal ReportGate AcceptReports { get; } = new();

    /// <summary>Starts threads named ztunnel-0, ztunnel-1, …</summary>
    /// <param name="count">How many: data-path 1.2.</param>
    /// <param name="onUnhandledException">See <see cref="EventLoop(int, string, Action{Exception}?)"/>.</param>
    public static LoopGroup Start(int count, Action<Exception>? onUnhandledException = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var loops = new EventLoop[count];
        for (int index = 0; index < count; index++)
        {
            loops[index] = new EventLoop(index, $"ztunnel-{index}", onUnhandledException);
        }

        foreach (EventLoop loop in loops)
        {
            loop.Start();
        }

        return new LoopGroup(loops);
    }

    /// <summary>Round robin. From any thread.</summary>
    public EventLoop Next() => _loops[(int)((uint)Interlocked.Increment(ref _next) % (uint)_loops.Length)];

    public void Dispose()
    {
        foreach (EventLoop loop in _loops)
        {
            loop.Stop();
        }

        foreach (EventLoop loop in _loops)
        {
            loop.Dispose();
        }
    }
}
