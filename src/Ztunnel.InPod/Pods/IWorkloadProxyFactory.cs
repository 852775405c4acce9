using Ztunnel.Linux.Namespaces;

namespace Ztunnel.InPod.Pods;

/// <summary>Makes the proxy of one pod. The seam between the life of pods and the data plane; the executable joins them.</summary>
public interface IWorkloadProxyFactory
{
    /// <summary>
    /// Binds all listeners of the pod and returns when connections are accepted; certificates and configuration are waited for by each connection, not here.
    /// Throws where a socket cannot be made; nothing may be left open then. The namespace stays the caller's and outlives the proxy.
    /// </summary>
    Task<IWorkloadProxy> StartAsync(PodIdentity pod, NetworkNamespace podNamespace, CancellationToken cancellation);
}

/// <summary>The proxy of one pod.</summary>
public interface IWorkloadProxy
{
    /// <summary>
    /// Closes the listeners before it returns its task, then the connections: after the drain period when <paramref name="graceful"/>, else at once. The task ends when nothing is left.
    /// </summary>
    Task StopAsync(bool graceful);
}
