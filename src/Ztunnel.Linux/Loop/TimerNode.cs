namespace Ztunnel.Linux.Loop;

/// <summary>The links by which a timer hangs in its wheel, so that arming allocates nothing.</summary>
public abstract class TimerNode
{
    internal const int NotLinked = -1;

    private protected TimerNode()
    {
    }

    internal TimerNode? Previous { get; set; }

    internal TimerNode? Next { get; set; }

    internal int Slot { get; set; } = NotLinked;

    internal long DueMilliseconds { get; set; }
}
