using System.Net;
using System.Net.Sockets;

namespace Ztunnel.Mesh.Routing;

/// <summary>Which of the addresses a hostname resolved to is used (data-path 2.3): any of the preferred family, else any other.</summary>
public static class ResolvedAddress
{
    /// <returns>Null when there is none to use.</returns>
    public static IPAddress? Choose(IReadOnlyList<IPAddress> addresses, AddressFamily preferred, RoutingContext context, IRandom random)
    {
        List<IPAddress> usable = [.. addresses.Where(address => context.IPv6Enabled || address.AddressFamily == AddressFamily.InterNetwork)];
        List<IPAddress> sameFamily = usable.FindAll(address => address.AddressFamily == preferred);
        List<IPAddress> pool = sameFamily.Count > 0 ? sameFamily : usable;
        return pool.Count == 0 ? null : pool[(int)random.Next((ulong)pool.Count)];
    }
}
