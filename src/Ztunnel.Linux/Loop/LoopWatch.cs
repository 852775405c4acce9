using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Loop;

/// <summary>Something whose descriptor a loop watches. It belongs to that loop's thread for life.</summary>
public abstract class LoopWatch
{
    private protected LoopWatch(EventLoop loop) => Loop = loop;

    public EventLoop Loop { get; }

    internal int Slot { get; set; } = WatchTable.NoSlot;

    internal abstract void OnEvents(uint events);

    /// <summary>The loop ends: close the descriptor, answer whoever waits.</summary>
    internal abstract void Abandon();

    private protected Errno StartWatching(int descriptor, uint events) => Loop.Watch(this, descriptor, events);

    /// <summary>Events already fetched for this descriptor will not be delivered. With a close right behind it, the kernel forgets the registration by itself.</summary>
    private protected void StopWatching(int descriptor, bool isClosing) => Loop.Unwatch(this, descriptor, isClosing);
}
