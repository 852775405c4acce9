namespace Ztunnel.Http2;

/// <summary>
/// Bounds what the peers of many connections may send ahead because stream windows grew beyond their initial size. One per loop, used by its thread only;
/// when it is used up, streams stay as they are.
/// </summary>
public sealed class WindowBudget(long limitBytes)
{
    public long LimitBytes { get; } = limitBytes;

    public long InUseBytes { get; private set; }

    internal bool TryTake(int bytes)
    {
        if (InUseBytes + bytes > LimitBytes)
            return false;
        InUseBytes += bytes;
        return true;
    }

    internal void Return(int bytes) => InUseBytes -= bytes;
}
