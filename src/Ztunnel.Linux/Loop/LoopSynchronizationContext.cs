namespace Ztunnel.Linux.Loop;

/// <summary>Brings a method that awaited something foreign on a loop back to that loop.</summary>
internal sealed class LoopSynchronizationContext(EventLoop loop) : SynchronizationContext
{
    // After the loop has ended its methods do not go on: running them on another thread would break the rule that a connection has one thread.
    public override void Post(SendOrPostCallback d, object? state) => _ = loop.PostContinuation(d, state);

    public override void Send(SendOrPostCallback d, object? state)
    {
        if (!loop.IsCurrent)
        {
            throw new NotSupportedException("waiting for a loop would block the calling thread: use Post");
        }

        d(state);
    }

    public override SynchronizationContext CreateCopy() => this;
}
