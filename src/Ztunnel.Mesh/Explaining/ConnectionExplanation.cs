using System.Net;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;

namespace Ztunnel.Mesh.Explaining;

/// <summary>A connection that need not exist: what would happen to it.</summary>
/// <param name="Source">The workload that would open it.</param>
/// <param name="SourceAddress">From which of its addresses.</param>
/// <param name="Destination">What it would dial.</param>
public sealed record ConnectionQuestion(Workload Source, IPAddress SourceAddress, IPEndPoint Destination);

/// <summary>What this node's proxy would do with a connection, by the snapshot of now.</summary>
public sealed record ConnectionExplanation
{
    public required ConnectionQuestion Question { get; init; }

    public required RouteKind Kind { get; init; }

    /// <summary>Why it is refused; null when it is not.</summary>
    public string? Error { get; init; }

    public RefuseReason Reason { get; init; }

    /// <summary>The service the client means, if any.</summary>
    public Service? Service { get; init; }

    /// <summary>What was asked on the way to the decision, in order.</summary>
    public required IReadOnlyList<RouteStep> Steps { get; init; }

    /// <summary>The next hops in the order they would be tried; the first ones of many.</summary>
    public required IReadOnlyList<NextHop> Hops { get; init; }

    /// <summary>The endpoints of the service that was dialled; empty for a workload's own address.</summary>
    public IReadOnlyList<EndpointExplanation> Endpoints { get; init; } = [];

    /// <summary>Who enforces the policies, and why they are not shown if they are not.</summary>
    public required string Enforcement { get; init; }

    /// <summary>What the policies of the first hop's workload say; null where another proxy's policies decide.</summary>
    public AuthorizationExplanation? Authorization { get; init; }
}
