namespace Ztunnel.Lifetime;

/// <summary>
/// Decides when the managed heap is collected at rest: when so much has been allocated or let go of since the last time that it is worth the work. All threads stand still meanwhile, about a millisecond for each MiB
/// that lives (some milliseconds with one pod, 100 with a mesh of 100,000 workloads): a large heap waits for proportionally more.
/// </summary>
internal sealed class HeapAtRest
{
    // Scrapes and keep-alive of minutes stay below it; a thousand connections do not.
    private const long LeastBytes = 2 << 20;

    // The part of what lives that has to be garbage: it bounds the work for each allocated byte, whatever the size of the heap is.
    private const int LeastShare = 2;

    // What a connection keeps, measured: those that go allocate nothing that would show it.
    private const long BytesPerSocket = 1024;

    private long _liveBytes;
    private long _allocatedAtCollection;
    private int _socketsAtCollection;

    /// <param name="rests">Whether the loops had nothing to do in the last period.</param>
    /// <param name="allocatedBytes">What the process has allocated since its start.</param>
    /// <param name="sockets">How many are open.</param>
    public bool IsWorthCollecting(bool rests, long allocatedBytes, int sockets)
    {
        long garbage = allocatedBytes - _allocatedAtCollection + (Math.Max(0, _socketsAtCollection - sockets) * BytesPerSocket);
        return rests && garbage >= Math.Max(LeastBytes, _liveBytes / LeastShare);
    }

    public void Collected(long liveBytes, long allocatedBytes, int sockets)
    {
        _liveBytes = liveBytes;
        _allocatedAtCollection = allocatedBytes;
        _socketsAtCollection = sockets;
    }
}
