using System.Net;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Explaining;

/// <summary>Answers, without traffic, what would become of a connection: it asks the router and the evaluator themselves and takes down what they looked at.</summary>
public static class ConnectionExplainer
{
    private const int MaxHops = 8;

    public static ConnectionExplanation Explain(MeshSnapshot mesh, RoutingContext context, PolicySettings policies, ConnectionQuestion question, IRandom random, ILoadView load)
    {
        if (OutboundRouter.IsRecursiveCall(context, new OriginalDestination(question.Destination)))
        {
            return new ConnectionExplanation
            {
                Question = question,
                Kind = RouteKind.Refuse,
                Reason = RefuseReason.RecursiveCall,
                Error = "attempted recursive call to ourselves",
                Steps = [new RouteStep($"is {question.Destination} one of the proxy's own ports", "yes")],
                Hops = [],
                Enforcement = "nobody: there is no connection",
            };
        }

        var trace = new RouteTrace();
        var request = new OutboundRequest(mesh, context, question.Source, question.SourceAddress, question.Destination, random, load) { Trace = trace };
        Route route = OutboundRouter.Decide(request);
        var hops = new List<NextHop>();
        for (NextHop? hop = route.First; hop is not null && hops.Count < MaxHops; hop = route.TryNext(out NextHop? next) ? next : null) hops.Add(hop);

        (string enforcement, AuthorizationExplanation? authorization) = Authorize(mesh, policies, question, route);
        return new ConnectionExplanation
        {
            Question = question,
            Kind = route.Kind,
            Reason = route.Reason,
            Error = route.Error,
            Service = route.Service,
            Steps = trace.Steps,
            Hops = hops,
            Endpoints = EndpointsOf(mesh, question, load),
            Enforcement = enforcement,
            Authorization = authorization,
        };
    }

    private static IReadOnlyList<EndpointExplanation> EndpointsOf(MeshSnapshot mesh, ConnectionQuestion question, ILoadView load)
    {
        Service? dialled = mesh.FindService(question.Source.Network, question.Destination.Address, question.Source.Namespace);
        return dialled is not null && mesh.FindEndpoints(dialled.Key) is { } endpoints
            ? EndpointExplainer.Explain(endpoints, question.Source, question.Destination.Port, isWaypoint: false, load)
            : [];
    }

    // Policies are enforced where the connection ends: by the ztunnel of the destination's node, or by a waypoint.
    private static (string Enforcement, AuthorizationExplanation?) Authorize(MeshSnapshot mesh, PolicySettings settings, ConnectionQuestion question, Route route)
    {
        if (route.First is not { } hop) return ("nobody: there is no connection", null);
        if (hop.Workload is not { } destination) return ("nobody: the destination is not in the mesh", null);
        if (hop.Kind == RouteKind.DoubleHbone) return ("the proxy of the workload behind the network gateway, by policies of its own cluster", null);

        bool tunnelled = hop.Kind == RouteKind.Hbone;
        if (tunnelled && hop.TargetPort == 0) return ($"the waypoint {destination.Uid}", null);
        if (destination.Protocol != TunnelProtocol.Hbone) return ($"nobody: {destination.Uid} is not in the mesh", null);

        // The port policies see is the application's, never 15008.
        var application = new IPEndPoint(hop.Address?.Address ?? question.Destination.Address, tunnelled ? hop.TargetPort : hop.Port);
        var connection = new PolicyConnection(tunnelled ? question.Source.Identity : null, question.SourceAddress, application);
        return ($"the proxy of {destination.Uid}", PolicyExplainer.Explain(mesh, destination, connection, settings));
    }
}
