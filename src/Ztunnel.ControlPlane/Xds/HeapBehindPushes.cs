using Ztunnel.Mesh.State;

namespace Ztunnel.ControlPlane.Xds;

/// <summary>
/// Has the young heap collected behind a push, once enough records have changed. All threads stand still while the collector moves what lives, about two milliseconds for each MB: left to itself it comes when its
/// budget is used up, behind thirty pushes of 1,000 changes, and finds what all of them have left; called behind each it finds 0.7 MB (src/decisions/0009-collect-behind-pushes.md).
/// </summary>
/// <param name="collect">What does it: <see cref="CollectYoung"/>, but for tests.</param>
internal sealed class HeapBehindPushes(Action collect)
{
    // Each leaves up to a KB that lives: its record, and the buckets of the indexes that name it. Many small pushes count like a large one.
    private const int EnoughRecords = 500;

    private int _records;

    /// <summary>The response has been applied, and nothing refers to it any more: what it was read into would be moved, too.</summary>
    public void OnApplied(MeshChange? change)
    {
        if (change is null) return;

        _records += change.WorkloadCount + change.ServiceCount;
        if (_records < EnoughRecords) return;

        _records = 0;
        collect();
    }

    /// <summary>Both young generations: what the last push has left leaves them for good, instead of piling up in the elder one until that is collected as a whole.</summary>
    public static void CollectYoung() => GC.Collect(generation: 1, GCCollectionMode.Forced, blocking: true);
}
