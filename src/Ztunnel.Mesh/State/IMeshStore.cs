namespace Ztunnel.Mesh.State;

/// <summary>The mesh as readers see it.</summary>
public interface IMeshStore
{
    /// <summary>The latest snapshot. Read once for each decision, so that all of it sees the same world.</summary>
    public MeshSnapshot Current { get; }

    /// <summary>Raised after a snapshot was published, on the writer's thread, in order: handlers hand over, return soon and do not throw.</summary>
    public event Action<MeshChange>? Changed;

    /// <summary>Completes when the first complete state is there.</summary>
    public Task FirstSync { get; }
}
