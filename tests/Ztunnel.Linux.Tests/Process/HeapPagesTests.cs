using System.Runtime.CompilerServices;
using Ztunnel.Linux.Process;

namespace Ztunnel.Linux.Tests.Process;

public sealed class HeapPagesTests
{
    private const long Mib = 1 << 20;

    [Fact]
    public void Release_AfterObjectsWereDropped_GivesTheirPagesBack()
    {
        WeakReference dropped = Fill(64 * Mib);
        long before = GC.GetGCMemoryInfo(GCKind.FullBlocking).TotalCommittedBytes;

        HeapPages.Release();

        Assert.False(dropped.IsAlive);
        long after = GC.GetGCMemoryInfo(GCKind.FullBlocking).TotalCommittedBytes;
        // Half of it: other tests of this process allocate meanwhile.
        Assert.True(after < before - (32 * Mib), $"{before} bytes were committed before, {after} after");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Fill(long bytes)
    {
        var kept = new List<byte[]>();
        for (long filled = 0; filled < bytes; filled += 4096)
            kept.Add(new byte[4096]);
        GC.Collect();
        return new WeakReference(kept);
    }
}
