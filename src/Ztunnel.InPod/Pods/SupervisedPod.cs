using Ztunnel.Linux.Namespaces;

namespace Ztunnel.InPod.Pods;

/// <summary>A pod we know, its namespace, and its proxy or the reason why there is none. Immutable: a new state is a new entry.</summary>
internal sealed record SupervisedPod(PodIdentity Identity, NetworkNamespace Namespace, IWorkloadProxy? Proxy, string? Failure)
{
    public bool IsUp => Proxy is not null;

    public PodStatus Status => new(Identity, IsUp ? PodState.Up : PodState.Pending, Failure);
}
