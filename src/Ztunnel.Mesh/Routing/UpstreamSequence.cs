using System.Net;
using Ztunnel.Mesh.Explaining;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Routing;

/// <summary>A workload that may take a connection, the port to use there, and the service it was found through.</summary>
internal readonly record struct Upstream(Workload Workload, ushort Port, Service? Service);

/// <summary>The upstreams for an address or a gateway, best first, each once (data-path 2.3). Several for a service, one for a workload.</summary>
internal sealed class UpstreamSequence
{
    private readonly EndpointPicker? _picker;
    private readonly ushort _servicePort;
    private readonly bool _isWaypoint;
    private Upstream? _single;

    private UpstreamSequence(Upstream single, IPAddress wantedAddress)
    {
        _single = single;
        WantedAddress = wantedAddress;
    }

    private UpstreamSequence(Service service, EndpointPicker picker, ushort servicePort, bool isWaypoint, IPAddress wantedAddress)
    {
        Service = service;
        _picker = picker;
        _servicePort = servicePort;
        _isWaypoint = isWaypoint;
        WantedAddress = wantedAddress;
    }

    public Service? Service { get; }

    /// <summary>The address to use if the workload has it; else the family to prefer.</summary>
    public IPAddress WantedAddress { get; }

    /// <summary>By address: a service that has it, else a workload. Null: nothing usable, or the service passes connections through.</summary>
    public static UpstreamSequence? ForAddress(OutboundRequest request, string network, IPEndPoint address, bool isWaypoint)
    {
        if (request.Mesh.FindService(network, address.Address, request.Source.Namespace) is { } service)
        {
            return ForService(request, service, (ushort)address.Port, isWaypoint, address.Address);
        }
        Workload? workload = request.Mesh.FindWorkload(network, address.Address);
        request.Trace?.Add(RouteWords.WhoServes(address, isWaypoint), workload is null ? "nobody in the mesh" : RouteWords.Describe(workload));
        return workload is null ? null : new UpstreamSequence(new Upstream(workload, (ushort)address.Port, Service: null), address.Address);
    }

    /// <summary>By reference to a waypoint or network gateway. Null: unknown, or nothing usable there.</summary>
    public static UpstreamSequence? ForGateway(OutboundRequest request, GatewayAddress gateway, bool isWaypoint)
    {
        if (gateway.Address is { } address) return ForAddress(request, address.Network, new IPEndPoint(address.Address, gateway.HboneMtlsPort), isWaypoint);

        // By name no address was asked for, so the family follows what the client dialled.
        IPAddress wanted = request.Destination.Address;
        if (request.Mesh.FindService(gateway.Hostname!) is { } service) return ForService(request, service, gateway.HboneMtlsPort, isWaypoint, wanted);
        Workload? workload = request.Mesh.FindWorkloadByHostname(gateway.Hostname!);
        request.Trace?.Add($"who is {gateway}", workload is null ? "nobody in the mesh" : RouteWords.Describe(workload));
        return workload is null ? null : new UpstreamSequence(new Upstream(workload, gateway.HboneMtlsPort, Service: null), wanted);
    }

    public bool TryNext(out Upstream upstream)
    {
        upstream = default;
        if (_picker is null)
        {
            if (_single is null) return false;
            upstream = _single.Value;
            _single = null;
            return true;
        }
        while (_picker.TryPick(out EndpointMember? endpoint))
        {
            if (TargetPort.Find(Service!, endpoint.Value, _servicePort, _isWaypoint) is not { } port) continue;
            upstream = new Upstream(endpoint.Value.Workload, port, Service);
            return true;
        }
        return false;
    }

    private static UpstreamSequence? ForService(OutboundRequest request, Service service, ushort port, bool isWaypoint, IPAddress wanted)
    {
        if (service.IsPassthrough)
        {
            request.Trace?.Add($"which endpoints serve {service.Key}", "none is chosen: the service passes connections through to the address dialled");
            return null;
        }
        ServiceEndpoints? endpoints = request.Mesh.FindEndpoints(service.Key);
        EndpointTable? table = endpoints?.Tables.For(endpoints, request.Source, port, isWaypoint);
        request.Trace?.Add($"which endpoints serve {service.Key} on port {port}", RouteWords.Describe(table, endpoints));
        return table is null || table.Groups.Length == 0
            ? null
            : new UpstreamSequence(service, new EndpointPicker(table, request.Random, request.Load), port, isWaypoint, wanted);
    }
}
