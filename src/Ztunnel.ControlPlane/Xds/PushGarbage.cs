namespace Ztunnel.ControlPlane.Xds;

/// <summary>Has what pushes leave behind collected while it is little.</summary>
/// <remarks>
/// A collection stops every loop, for a time that follows what survives it. Left to itself the collector waits for some 50 MB, which is ten pushes of 1,000 changes with 3 MB of new records among them: 20 ms.
/// After each push it is a fraction. The second generation is collected along, so that it never holds more than the records of the push before. src/decisions has the numbers.
/// </remarks>
internal sealed class PushGarbage
{
    // Small pushes add up first. A collection that finds nothing costs about a millisecond.
    private const long WorthBytes = 2 * 1024 * 1024;

    private long _allocatedBefore = GC.GetTotalAllocatedBytes(precise: false);

    /// <summary>A response has been applied and nothing of it is needed any more but the records.</summary>
    public void OnApplied()
    {
        if (GC.GetTotalAllocatedBytes(precise: false) - _allocatedBefore < WorthBytes)
            return;
        GC.Collect(generation: 1, GCCollectionMode.Forced, blocking: true);
        _allocatedBefore = GC.GetTotalAllocatedBytes(precise: false);
    }
}
