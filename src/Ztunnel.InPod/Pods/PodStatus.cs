namespace Ztunnel.InPod.Pods;

/// <summary>How far a pod's proxy is; the names are those of the configuration dump.</summary>
public enum PodState
{
    /// <summary>Its listeners could not be bound; tried again every few seconds.</summary>
    Pending,

    /// <summary>Its proxy accepts connections.</summary>
    Up,
}

/// <summary>One pod for the dump; <see cref="Failure"/> says why it is pending.</summary>
public sealed record PodStatus(PodIdentity Pod, PodState State, string? Failure);

/// <summary>What became of an add: success, or why the pod has no proxy yet.</summary>
public readonly record struct PodStartResult(string? Failure)
{
    public bool Succeeded => Failure is null;
}
