using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Routing;

/// <summary>Decides where an inbound CONNECT ends (data-path 3.2 to 3.4). A peer chooses the port, never the address: that is always our own.</summary>
public static class InboundRouter
{
    private const int BadRequest = 400;
    private const int Unavailable = 503;

    /// <summary>Check 2 of data-path 3.2: the authority can be read.</summary>
    public static bool TryParseAuthority(string? text, [NotNullWhen(true)] out ConnectAuthority? authority, [NotNullWhen(false)] out InboundRefusal? refusal)
    {
        bool read = ConnectAuthority.TryParse(text, out authority);
        refusal = read ? null : new InboundRefusal(BadRequest, RefuseReason.InvalidAuthority, $"no valid authority pseudo header: {PeerText.Cut(text)}");
        return read;
    }

    /// <summary>Checks 4 and 5 of data-path 3.2: the destination is ours to serve, and where it is.</summary>
    /// <param name="mesh">What is known.</param>
    /// <param name="context">Own settings.</param>
    /// <param name="local">The workload this proxy stands for.</param>
    /// <param name="localAddress">The address the tunnel was accepted on, canonical.</param>
    /// <param name="authority">What the peer asked for.</param>
    public static InboundDecision Resolve(MeshSnapshot mesh, RoutingContext context, Workload local, IPAddress localAddress, ConnectAuthority authority)
    {
        if (authority.Hostname is { } hostname) return ResolveHostname(mesh, context, local, localAddress, hostname, authority.Port);

        IPEndPoint address = authority.Address!;
        if (!MayServe(mesh, context, local, localAddress, address.Address))
        {
            return Refuse(BadRequest, RefuseReason.AddressMismatch, $"ip mismatch: {localAddress} != {address.Address}");
        }
        return Target(context, local, localAddress, authority.Port, tunnelTarget: address, requested: null, ServicesOf(mesh, local));
    }

    /// <summary>The services a workload is an endpoint of: candidates for plaintext connections and for those that name an address.</summary>
    public static IReadOnlyList<Service> ServicesOf(MeshSnapshot mesh, Workload local)
    {
        var services = new List<Service>();
        foreach (ServiceMembership membership in local.Services)
        {
            if (mesh.FindService(membership.Service) is { } service) services.Add(service);
        }
        if (!mesh.StatedIn.TryGetValue(local.Uid, out var stated)) return services;
        foreach (NamespacedName key in stated)
        {
            if (mesh.FindService(key) is { } service && !services.Contains(service)) services.Add(service);
        }
        return services;
    }

    /// <summary>The service an inbound connection was probably meant for (data-path 8.4). It feeds telemetry only.</summary>
    /// <param name="mesh">What is known.</param>
    /// <param name="candidates">Of the <see cref="InboundTarget"/>, or <see cref="ServicesOf"/> for plaintext.</param>
    /// <param name="local">The workload this proxy stands for.</param>
    /// <param name="forwardedHost">Of the peer's <c>forwarded</c> header, if it has one.</param>
    /// <param name="destinationPort">The application's port.</param>
    public static Service? GuessService(MeshSnapshot mesh, IReadOnlyList<Service> candidates, Workload local, string? forwardedHost, int destinationPort)
    {
        foreach (Service candidate in candidates)
        {
            if (forwardedHost is not null && candidate.Hostname == forwardedHost) return candidate;
        }
        foreach (Service candidate in candidates)
        {
            if (candidate.Ports.HasTarget(destinationPort) || mesh.FindEndpoints(candidate.Key)?.PortsOf(local)?.HasTarget(destinationPort) == true) return candidate;
        }
        return null;
    }

    /// <summary>Whether the connection came through a network gateway, so that its source address says nothing about the client.</summary>
    /// <param name="context">Own settings.</param>
    /// <param name="forwardedNetwork">The <c>x-forwarded-network</c> header, if there is one.</param>
    public static bool IsFromGateway(RoutingContext context, string? forwardedNetwork) =>
        forwardedNetwork is not null && !forwardedNetwork.Equals(context.Network, StringComparison.OrdinalIgnoreCase);

    private static InboundDecision ResolveHostname(MeshSnapshot mesh, RoutingContext context, Workload local, IPAddress localAddress, string hostname, ushort port)
    {
        if (mesh.FindServiceByHostname(hostname, local.Namespace) is not { } service)
        {
            return Refuse(Unavailable, RefuseReason.UnknownHostname, $"no service or workload for hostname: {hostname}");
        }
        PortMap? ownPorts = mesh.FindEndpoints(service.Key)?.PortsOf(local);
        if (ownPorts is null && local.ApplicationTunnel is null && !IsWaypointOf(mesh, service, local, localAddress))
        {
            // 503 and not 400: the peer's endpoints may be out of date, and another one of them may be right.
            return Refuse(Unavailable, RefuseReason.NotAnEndpoint, $"requested service {hostname} found, but this workload is not an endpoint of it");
        }

        ushort target = 0;
        if (ownPorts is null || !ownPorts.TryGetTarget(port, out target)) service.Ports.TryGetTarget(port, out target);
        if (target == 0) return Refuse(Unavailable, RefuseReason.UnknownServicePort, $"requested service {hostname}:{port} found, but cannot resolve port");

        IPEndPoint? vip = local.ApplicationTunnel is null ? null : ChooseVip(context, service, port);
        if (local.ApplicationTunnel is not null && vip is null && !context.IsIllegalPort(target))
        {
            return Refuse(Unavailable, RefuseReason.ServiceWithoutAddress, $"requested service {hostname} found, but has no IP addresses");
        }
        return Target(context, local, localAddress, target, vip, service, [service]);
    }

    private static InboundDecision Target(
        RoutingContext context, Workload local, IPAddress localAddress, ushort port, IPEndPoint? tunnelTarget, Service? requested, IReadOnlyList<Service> candidates)
    {
        ApplicationTunnel? tunnel = local.ApplicationTunnel;
        ushort applicationPort = tunnel is { Port: > 0 } ? tunnel.Port : port;
        if (context.IsIllegalPort(port) || context.IsIllegalPort(applicationPort))
        {
            return Refuse(Unavailable, RefuseReason.RecursiveCall, "attempted recursive call to ourselves");
        }
        return new InboundDecision(
            new InboundTarget(
                new IPEndPoint(localAddress, applicationPort), tunnel?.Protocol ?? ApplicationProtocol.None, tunnel is null ? null : tunnelTarget, requested, candidates),
            Refusal: null);
    }

    // The security boundary of data-path 3.3: our own address, or one that we stand in front of.
    private static bool MayServe(MeshSnapshot mesh, RoutingContext context, Workload local, IPAddress localAddress, IPAddress requested)
    {
        if (requested.Equals(localAddress) || local.ApplicationTunnel is not null) return true;

        AddressMatch match = mesh.FindAddress(context.Network, requested, clientNamespace: null);
        if (match.Service is not null) return IsWaypointOf(mesh, match.Service, local, localAddress);
        return match.Workload?.Waypoint is { } waypoint && IsWaypoint(mesh, waypoint, local, localAddress);
    }

    private static bool IsWaypointOf(MeshSnapshot mesh, Service service, Workload local, IPAddress localAddress)
    {
        if (service.Waypoint is { } single && IsWaypoint(mesh, single, local, localAddress)) return true;
        foreach (WeightedWaypoint waypoint in service.WeightedWaypoints)
        {
            if (IsWaypoint(mesh, waypoint.Destination, local, localAddress)) return true;
        }
        return false;
    }

    private static bool IsWaypoint(MeshSnapshot mesh, GatewayAddress reference, Workload local, IPAddress localAddress)
    {
        AddressMatch match = WaypointReference.Resolve(mesh, reference);
        if (match.Workload is { } workload) return workload.Addresses.Contains(localAddress);
        return match.Service is { } service && mesh.FindEndpoints(service.Key)?.IsServedBy(local) == true;
    }

    // Own network before others, IPv4 before IPv6; the last of equals, as peers that read the header are used to.
    private static IPEndPoint? ChooseVip(RoutingContext context, Service service, ushort servicePort)
    {
        IPAddress? best = null;
        int bestRank = -1;
        foreach (NetworkAddress vip in service.Vips)
        {
            int rank = vip.Network != context.Network ? 0 : vip.Address.AddressFamily == AddressFamily.InterNetwork ? 2 : 1;
            if (rank < bestRank) continue;
            best = vip.Address;
            bestRank = rank;
        }
        return best is null ? null : new IPEndPoint(best, servicePort);
    }

    private static InboundDecision Refuse(int status, RefuseReason reason, string error) => new(Target: null, new InboundRefusal(status, reason, error));
}
