using System.Net;
using System.Net.Sockets;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;

namespace Ztunnel.Proxy.Outbound;

/// <summary>An address, or none with the reason.</summary>
internal readonly record struct ResolvedHost(IPAddress? Address, string? Error);

/// <summary>Resolves workloads that are known by name only, with the node's resolver (data-path 2.3). On the thread pool; the caller's loop goes on meanwhile.</summary>
internal static class HostResolver
{
    // Or what is left for the connection, if that is less.
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    public static async Task<ResolvedHost> ResolveAsync(ProxyContext context, NextHop hop, string hostname, TimeSpan left, CancellationToken cancellation)
    {
        try
        {
            IPAddress[] addresses = await LookUpAsync(context, hostname, left, cancellation);
            return addresses.Length == 0
                ? new ResolvedHost(null, $"ip addresses were resolved for workload {hop.Workload?.Uid}, but valid dns response had no A/AAAA records")
                : new ResolvedHost(Choose(addresses, hop.PreferredFamily, SystemRandom.Instance), null);
        }
        catch (Exception exception) when (exception is SocketException or TimeoutException or OperationCanceledException)
        {
            return new ResolvedHost(null, $"no ip addresses were resolved for workload: {hop.Workload?.Uid}");
        }
    }

    /// <summary>An address of any name; null when there is none.</summary>
    public static async Task<IPAddress?> ResolveAsync(ProxyContext context, string hostname, AddressFamily preferred, TimeSpan left, CancellationToken cancellation)
    {
        try
        {
            IPAddress[] addresses = await LookUpAsync(context, hostname, left, cancellation);
            return addresses.Length == 0 ? null : Choose(addresses, preferred, SystemRandom.Instance);
        }
        catch (Exception exception) when (exception is SocketException or TimeoutException or OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>One of the preferred family if there is any, else one of the others; each equally likely.</summary>
    internal static IPAddress Choose(IPAddress[] addresses, AddressFamily preferred, IRandom random)
    {
        IPAddress[] candidates = Array.FindAll(addresses, address => address.AddressFamily == preferred);
        if (candidates.Length == 0)
            candidates = addresses;
        return Canonical.Address(candidates[(int)random.Next((ulong)candidates.Length)]);
    }

    private static Task<IPAddress[]> LookUpAsync(ProxyContext context, string hostname, TimeSpan left, CancellationToken cancellation)
    {
        AddressFamily family = context.Settings.IPv6Enabled ? AddressFamily.Unspecified : AddressFamily.InterNetwork;
        return context.Lookups.LookUpAsync(hostname, family).WaitAsync(left < Timeout ? left : Timeout, context.Time, cancellation);
    }
}
