namespace Ztunnel.Lifetime;

/// <summary>
/// Has the collector start the thread of its background collections now. Else whichever thread comes to need it first starts it, perhaps inside a pod's namespace, where it would stay.
/// </summary>
internal static class CollectorThread
{
    // A heap of less than 12 MB, measured, is collected in the foreground, whatever is asked for. Nobody touches these bytes, so they are no memory; and the smallest limit that the runtime sets a heap, 20 MB, has room for them.
    private const int EnoughBytes = 16 << 20;

    public static void Start()
    {
        byte[] ballast = GC.AllocateUninitializedArray<byte>(EnoughBytes);
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
        GC.KeepAlive(ballast);
        GC.Collect();
    }
}
