using Ztunnel.Dns.Serving;
using Ztunnel.Linux;
using Ztunnel.Linux.Namespaces;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy;
using Ztunnel.Settings;

namespace Ztunnel.Serving;

/// <summary>Opens all that one workload gets: DNS, then the proxy's ports (data-path 1.2).</summary>
public sealed class WorkloadStarter(ModeSettings mode, ProxyFactory proxies, DnsContext? dns, SocketSettings sockets)
{
    // Queries to the resolvers carry the mark in every mode: without it redirection would bring them back to us (design section 7).
    private readonly SocketSettings _dnsSockets = sockets with { Mark = sockets.Mark ?? DnsServing.FindMark(dns) };

    /// <param name="workload">Who it is.</param>
    /// <param name="pod">Its namespace; null for the one the process runs in.</param>
    /// <exception cref="LinuxException">A port cannot be bound; none is left open then.</exception>
    public ServedWorkload Bind(LocalWorkloadKey workload, NetworkNamespace? pod)
    {
        DnsProxy? names = dns is null ? null : DnsProxy.Bind(dns, workload, new SocketFactory(pod, _dnsSockets));
        try
        {
            return new ServedWorkload(proxies.Bind(workload, new SocketFactory(pod, sockets), mode.ProxyEnabled ? ListenerSelection.All : ListenerSelection.None), names);
        }
        catch
        {
            names?.Abandon();
            throw;
        }
    }
}

/// <summary>What runs for one workload: bound, and serving from <see cref="Serve"/> on.</summary>
/// <param name="Proxy">Its data path; without ports where ENABLE_PROXY is false.</param>
/// <param name="Names">Its DNS, if that is captured.</param>
public sealed record ServedWorkload(WorkloadProxy Proxy, DnsProxy? Names)
{
    /// <summary>Accepts connections and answers queries from now on.</summary>
    public void Serve()
    {
        Proxy.Serve();
        Names?.Serve();
    }

    /// <summary>Ends both, whether they served or not; DNS has nothing to drain.</summary>
    public Task StopAsync(bool graceful) => Task.WhenAll(Proxy.StopAsync(graceful), Names?.StopAsync() ?? Task.CompletedTask);
}
