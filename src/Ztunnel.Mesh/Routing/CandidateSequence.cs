using System.Diagnostics.CodeAnalysis;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Routing;

/// <summary>The hops a connection may take, found one by one: upstreams in order, and for one that is reached through a gateway or waypoint, the endpoints of that.</summary>
internal sealed class CandidateSequence(OutboundRequest request, UpstreamSequence upstreams, Service? addressed, bool toWaypoint)
{
    private readonly List<GatewayAddress> _gatewaysUsed = [];   // upstreams behind one gateway are all reached by the same hops: it chooses
    private UpstreamSequence? _via;
    private bool _viaGateway;
    private Upstream _behind;

    /// <summary>Why the first upstream that could not be used could not.</summary>
    public Route? FirstError { get; private set; }

    /// <summary>The service of the upstreams, or that of the address for a waypoint of it.</summary>
    public Service? Service => toWaypoint ? addressed : upstreams.Service;

    public bool TryNext([NotNullWhen(true)] out NextHop? hop)
    {
        while (true)
        {
            if (_via is not null)
            {
                if (!_via.TryNext(out Upstream via))
                {
                    _via = null;
                    continue;
                }
                hop = _viaGateway
                    ? HopFactory.Gateway(via, _via.WantedAddress, _behind, addressed!, request.Destination.Port)
                    : HopFactory.Waypoint(via, _via.WantedAddress, request.Destination);
                if (hop is not null) return true;
                Failed(RefuseReason.NoValidDestination, $"no valid routing destination for workload: {via.Workload.Uid}");
                continue;
            }
            if (!upstreams.TryNext(out Upstream upstream))
            {
                hop = null;
                return false;
            }
            hop = Resolve(upstream);
            if (hop is not null) return true;
        }
    }

    // Null: it failed, or it set _via.
    private NextHop? Resolve(in Upstream upstream)
    {
        // Step C (A3 for waypoints): another network is reached through its gateway, and only for a service, whose name the gateway needs.
        if (upstream.Workload.Network != request.Source.Network)
        {
            request.Trace?.Add($"how is {upstream.Workload.Uid} reached", $"through a gateway: it is in network '{upstream.Workload.Network}', the source in '{request.Source.Network}'");
            if (addressed is null) Failed(RefuseReason.NoServiceForAddress, $"no service for target address: {request.Destination}");
            else UseGateway(upstream);
            return null;
        }

        NextHop? hop;
        if (toWaypoint)
        {
            hop = HopFactory.Waypoint(upstream, upstreams.WantedAddress, request.Destination);
        }
        else if (addressed is null && upstream.Workload.Waypoint is { } waypoint && !WaypointReference.IsInstance(request, waypoint))
        {
            // Steps D and E: a workload's waypoint, unless the call comes from it. Never for what was addressed as a service.
            request.Trace?.Add($"how is {upstream.Workload.Uid} reached", $"through its waypoint {waypoint}");
            UseWaypoint(waypoint);
            return null;
        }
        else
        {
            request.Trace?.Add($"how is {upstream.Workload.Uid} reached", upstream.Workload.Protocol == TunnelProtocol.Hbone ? "directly, in an HBONE tunnel" : "directly, in plain TCP: it is not in the mesh");
            hop = HopFactory.Direct(upstream, upstreams.WantedAddress);
        }
        if (hop is null) Failed(RefuseReason.NoValidDestination, $"no valid routing destination for workload: {upstream.Workload.Uid}");
        return hop;
    }

    private void UseWaypoint(GatewayAddress waypoint)
    {
        _via = UpstreamSequence.ForGateway(request, waypoint, isWaypoint: true);
        _viaGateway = false;
        if (_via is null) Failed(RefuseReason.UnknownWaypoint, WaypointReference.Unknown(waypoint));
    }

    private void UseGateway(in Upstream upstream)
    {
        if (upstream.Workload.NetworkGateway is not { } gateway)
        {
            Failed(RefuseReason.NoValidDestination, $"no valid routing destination for workload: {upstream.Workload.Uid}");
            return;
        }
        if (_gatewaysUsed.Contains(gateway)) return;

        _gatewaysUsed.Add(gateway);
        _behind = upstream;
        _via = UpstreamSequence.ForGateway(request, gateway, isWaypoint: false);
        _viaGateway = true;
        if (_via is null) Failed(RefuseReason.UnknownNetworkGateway, $"unknown network gateway: network gateway {gateway} not found");
    }

    private void Failed(RefuseReason reason, string error) => FirstError ??= Route.Refused(reason, error);
}
