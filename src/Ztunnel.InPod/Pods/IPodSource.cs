namespace Ztunnel.InPod.Pods;

/// <summary>Where the node's pods come from: the node agent, or a list in a file. It drives a <see cref="PodSupervisor"/>.</summary>
public interface IPodSource
{
    /// <summary>True once every pod of the first snapshot was handled; false again while the source is out of reach. Pods that cannot start do not count: one of them must not make the node unready.</summary>
    bool IsReady { get; }

    /// <summary>Raised on the thread of the source with the new value.</summary>
    event Action<bool>? ReadinessChanged;

    /// <summary>Follows the source until asked to stop; the pods stay as they are then.</summary>
    Task RunAsync(CancellationToken stopping);
}
