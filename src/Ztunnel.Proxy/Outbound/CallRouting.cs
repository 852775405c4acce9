using System.Net;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Proxy.Connections;

namespace Ztunnel.Proxy.Outbound;

/// <summary>Who calls and where the call goes, or why it goes nowhere.</summary>
internal readonly record struct RoutedCall(Workload? Local, Route? Route, ConnectionOutcome Refusal)
{
    public static RoutedCall Refused(EndReason reason, string? text) => new(null, null, new ConnectionOutcome(reason, text));
}

/// <summary>The first phase of a captured connection (data-path 2.1, 2.2): finds the local workload, and the route on one snapshot.</summary>
/// <remarks>
/// A pod that the node agent has named is served before the control plane has told of it. Where the route depends on what only its record says, the record is waited for, as it is for a pod nobody vouches for;
/// a guess could send a call of a waypoint back to itself, or in plain text to somebody in the mesh.
/// </remarks>
internal static class CallRouting
{
    public static async ValueTask<RoutedCall> RouteAsync(WorkloadLoop home, IPEndPoint source, OriginalDestination destination)
    {
        if ((home.Workload.FindOrAssume() ?? await home.Workload.WaitAsync()) is not { } local)
            return RoutedCall.Refused(EndReason.LocalWorkloadUnknown, home.Workload.UnknownText);

        RoutedCall routed = await RouteAsync(home, local, source, destination);
        if (routed.Route is not { Reason: RefuseReason.SourceRecordMissing } undecided)
            return Judge(routed);

        return await home.Workload.WaitAsync() is { } recorded
            ? Judge(await RouteAsync(home, recorded, source, destination))
            : RoutedCall.Refused(EndReason.LocalWorkloadUnknown, home.Workload.NeededText(undecided.Error!));
    }

    private static async ValueTask<RoutedCall> RouteAsync(WorkloadLoop home, Workload local, IPEndPoint source, OriginalDestination destination)
    {
        if (home.Context.OnDemand is { } onDemand && await onDemand.PrepareOutboundAsync(local, destination.EndPoint) is { Reason: not EndReason.None } unknown)
            return new RoutedCall(local, null, unknown);

        Route route = OutboundRouter.Route(home.Context.Mesh.Current, home.Context.Routing, local, source.Address, destination, SystemRandom.Instance, home.Proxy.Endpoints);
        return new RoutedCall(local, route, default);
    }

    private static RoutedCall Judge(RoutedCall routed) =>
        routed.Route is { Kind: RouteKind.Refuse } refused ? RoutedCall.Refused(EndReason.NoRoute, refused.Error) : routed;
}
