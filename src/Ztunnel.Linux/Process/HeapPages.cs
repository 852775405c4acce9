using Ztunnel.Linux.Interop;

namespace Ztunnel.Linux.Process;

/// <summary>Gives back what the heaps of the process, the managed one and the C library's, hold beyond what is in use.</summary>
public static class HeapPages
{
    /// <summary>All managed threads stand still meanwhile, about a millisecond for each MiB that lives.</summary>
    public static void Release()
    {
        // Aggressive: the collector keeps no region for later. An ordinary collection keeps those it has emptied, which is most of them after a burst.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        // Handshakes work in the C library's heap, which keeps what lies below its last live block.
        Libc.TrimHeap();
    }
}
