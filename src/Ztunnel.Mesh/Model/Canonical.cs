using System.Net;
using System.Net.Sockets;

namespace Ztunnel.Mesh.Model;

/// <summary>The one spelling of an address that look-ups compare: IPv4-mapped IPv6 becomes IPv4, scope ids are dropped (control-path W-20).</summary>
public static class Canonical
{
    public static IPAddress Address(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6) return address;
        if (address.IsIPv4MappedToIPv6) return address.MapToIPv4();
        return address.ScopeId == 0 ? address : new IPAddress(address.GetAddressBytes());
    }

    public static IPEndPoint EndPoint(IPEndPoint endPoint)
    {
        IPAddress address = Address(endPoint.Address);
        return ReferenceEquals(address, endPoint.Address) ? endPoint : new IPEndPoint(address, endPoint.Port);
    }
}
