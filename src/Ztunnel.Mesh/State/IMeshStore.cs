namespace Ztunnel.Mesh.State;

/// <summary>The mesh as readers see it.</summary>
public interface IMeshStore
{
    /// <summary>The latest snapshot. Read once for each decision, so that all of it sees the same world.</summary>
    public MeshSnapshot Current { get; }

    /// <summary>Raised after a snapshot was published, on the writer's thread: handlers hand over and return.</summary>
    public event Action<MeshChange>? Changed;

    /// <summary>Completes when the first complete state is there.</summary>
    public Task FirstSync { get; }
}
