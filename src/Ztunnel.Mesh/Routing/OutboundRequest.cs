using System.Net;
using Ztunnel.Mesh.Explaining;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Mesh.Routing;

/// <summary>Where the application wanted to go, before anything was redirected.</summary>
public readonly record struct OriginalDestination(IPEndPoint EndPoint);

/// <summary>Everything one outbound decision depends on.</summary>
internal sealed record OutboundRequest(
    MeshSnapshot Mesh, RoutingContext Context, Workload Source, IPAddress SourceAddress, IPEndPoint Destination, IRandom Random, ILoadView Load)
{
    /// <summary>Takes down the questions and answers; null for connections.</summary>
    public RouteTrace? Trace { get; init; }
}
