using System.Diagnostics.CodeAnalysis;
using System.Net;
using Ztunnel.Mesh.Explaining;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Routing;

/// <summary>Decides how a captured connection is carried on. A pure function; the order of its questions is that of data-path 2.2 and part of the contract.</summary>
public static class OutboundRouter
{
    /// <summary>A call to one of our own listeners on this machine: it would be captured again and again. Asked before anything is looked up.</summary>
    public static bool IsRecursiveCall(RoutingContext context, OriginalDestination destination) =>
        IPAddress.IsLoopback(destination.EndPoint.Address) && context.IsIllegalPort(destination.EndPoint.Port);

    /// <param name="mesh">What is known.</param>
    /// <param name="context">Own settings.</param>
    /// <param name="source">The workload this proxy stands for.</param>
    /// <param name="sourceAddress">The address the connection came from, canonical.</param>
    /// <param name="destination">Where it was going, canonical.</param>
    /// <param name="random">For choices among equals.</param>
    /// <param name="load">Connections and failures of the endpoints, as this loop knows them.</param>
    public static Route Route(
        MeshSnapshot mesh, RoutingContext context, Workload source, IPAddress sourceAddress, OriginalDestination destination, IRandom random, ILoadView load) =>
        IsRecursiveCall(context, destination)
            ? Routing.Route.Refused(RefuseReason.RecursiveCall, "attempted recursive call to ourselves")
            : Decide(new OutboundRequest(mesh, context, source, sourceAddress, destination.EndPoint, random, load));

    /// <summary>The decision for what is no recursive call.</summary>
    internal static Route Decide(OutboundRequest request)
    {
        IPEndPoint target = request.Destination;
        if (request.Source.IsAssumed && AssumedSource.FindMissing(request) is { } missing)
        {
            return Routing.Route.Refused(RefuseReason.SourceRecordMissing, $"only the workload's record tells {missing}");
        }

        // Step A: addressed to a service? A workload with the same address hides it. Its waypoint, if any, takes the call; never past it because it is missing.
        AddressMatch match = request.Mesh.FindAddress(request.Context.Network, target.Address, request.Source.Namespace);
        request.Trace?.Add($"what is {target.Address}", RouteWords.Describe(match));
        Service? service = match.Service;
        if (service is not null && TryChooseWaypoint(request, service, out GatewayAddress? waypoint))
        {
            UpstreamSequence? waypoints = UpstreamSequence.ForGateway(request, waypoint, isWaypoint: true);
            var toWaypoint = waypoints is null ? null : new CandidateSequence(request, waypoints, service, toWaypoint: true);
            return First(toWaypoint, otherwise: () => Routing.Route.Refused(RefuseReason.UnknownWaypoint, WaypointReference.Unknown(waypoint)));
        }

        // Step B: an upstream, by service before workload. The candidates take it from there (steps C to G).
        UpstreamSequence? upstreams = UpstreamSequence.ForAddress(request, request.Source.Network, target, isWaypoint: false);
        var candidates = upstreams is null ? null : new CandidateSequence(request, upstreams, service, toWaypoint: false);
        return First(candidates, otherwise: () => service is not null && !service.IsPassthrough
            ? Routing.Route.Refused(RefuseReason.NoHealthyUpstream, $"no healthy upstream: {target}")
            : new Route(HopFactory.Passthrough(target), service: null, candidates: null));
    }

    private static bool TryChooseWaypoint(OutboundRequest request, Service service, [NotNullWhen(true)] out GatewayAddress? waypoint)
    {
        waypoint = WaypointReference.Choose(service, request.Random);
        bool isSource = waypoint is not null && WaypointReference.IsInstanceOfAny(request, service);
        request.Trace?.Add("has the service a waypoint", waypoint is null ? "no" : isSource ? $"yes, {waypoint}, and the call comes from it: it is not sent there again" : $"yes, {waypoint}: it takes the call");
        return waypoint is not null && !isSource;
    }

    private static Route First(CandidateSequence? candidates, Func<Route> otherwise)
    {
        if (candidates is null) return otherwise();
        return candidates.TryNext(out NextHop? first) ? new Route(first, candidates.Service, candidates) : candidates.FirstError ?? otherwise();
    }
}
