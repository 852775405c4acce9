using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Routing;

/// <summary>Turns a chosen upstream into a hop: which address, which authority, which identities (data-path 2.2 F and G, 2.3).</summary>
internal static class HopFactory
{
    private const ushort HbonePort = 15008;

    /// <summary>To the address the application dialled, without knowing what is there.</summary>
    public static NextHop Passthrough(IPEndPoint destination) => new()
    {
        Kind = RouteKind.Tcp,
        Address = destination,
        Port = (ushort)destination.Port,
        PreferredFamily = destination.AddressFamily,
    };

    /// <returns>Null when the workload has no address and no hostname.</returns>
    public static NextHop? Direct(in Upstream upstream, IPAddress wanted)
    {
        bool tunnelled = upstream.Workload.Protocol == TunnelProtocol.Hbone;
        NextHop? hop = Towards(upstream.Workload, upstream.Service, wanted, tunnelled ? HbonePort : upstream.Port);
        if (hop is null || !tunnelled) return hop;
        return hop with
        {
            Kind = RouteKind.Hbone,
            TargetPort = upstream.Port,
            Authority = hop.Address is null ? "" : new IPEndPoint(hop.Address.Address, upstream.Port).ToString(),
            ExpectedIdentities = IdentitiesOf(upstream),
        };
    }

    /// <summary>To a waypoint, which is told what the application dialled.</summary>
    public static NextHop? Waypoint(in Upstream waypoint, IPAddress wanted, IPEndPoint destination)
    {
        NextHop? hop = Towards(waypoint.Workload, waypoint.Service, wanted, waypoint.Port);
        return hop is null ? null : hop with
        {
            Kind = RouteKind.Hbone,
            Authority = destination.ToString(),
            ExpectedIdentities = IdentitiesOf(waypoint),
            GatewayService = waypoint.Service,
        };
    }

    /// <summary>To a network gateway, and through it to one of the service's workloads behind it, which the gateway chooses.</summary>
    public static NextHop? Gateway(in Upstream gateway, IPAddress wanted, in Upstream behind, Service service, int servicePort)
    {
        NextHop? hop = Towards(gateway.Workload, gateway.Service, wanted, gateway.Port);
        return hop is null ? null : hop with
        {
            Kind = RouteKind.DoubleHbone,
            Authority = string.Create(CultureInfo.InvariantCulture, $"{service.Hostname}:{servicePort}"),
            ExpectedIdentities = IdentitiesOf(gateway),
            InnerIdentities = behind.Service?.AcceptedIdentities ?? [],
            GatewayService = gateway.Service,
        };
    }

    private static NextHop? Towards(Workload workload, Service? service, IPAddress wanted, ushort port)
    {
        IPAddress? address = ChooseAddress(workload, service, wanted);
        if (address is null && workload.Hostname.Length == 0) return null;
        return new NextHop
        {
            Kind = RouteKind.Tcp,
            Address = address is null ? null : new IPEndPoint(address, port),
            Hostname = address is null ? workload.Hostname : null,
            Port = port,
            PreferredFamily = wanted.AddressFamily,
            Workload = workload,
        };
    }

    private static IPAddress? ChooseAddress(Workload workload, Service? service, IPAddress wanted)
    {
        IPAddress? first = null;
        IPAddress? sameFamily = null;
        for (int i = 0; i < workload.Addresses.Count; i++)
        {
            IPAddress address = workload.Addresses[i];
            if (address.Equals(wanted)) return address;
            if (!IsAllowed(service, address)) continue;
            first ??= address;
            if (address.AddressFamily == wanted.AddressFamily) sameFamily ??= address;
        }
        return sameFamily ?? first;
    }

    private static bool IsAllowed(Service? service, IPAddress address) => service?.IpFamilies switch
    {
        IpFamilies.IPv4 => address.AddressFamily == AddressFamily.InterNetwork,
        IpFamilies.IPv6 => address.AddressFamily == AddressFamily.InterNetworkV6,
        _ => true,
    };

    private static ImmutableArray<SpiffeId> IdentitiesOf(in Upstream upstream)
    {
        if (upstream.Service is null || upstream.Service.SubjectAltNames.IsEmpty) return upstream.Workload.Traits.ExpectedIdentity;
        return [.. upstream.Service.AcceptedIdentities, upstream.Workload.Identity];
    }
}
