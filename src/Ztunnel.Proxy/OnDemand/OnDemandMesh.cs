using System.Net;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;

namespace Ztunnel.Proxy.OnDemand;

/// <summary>Asks the control plane for a name. True: it has answered, and what it knows is in the mesh. False: nothing is known within the time limit, so nothing may be concluded.</summary>
public delegate ValueTask<bool> AddressFetcher(string name, CancellationToken cancellation);

/// <summary>
/// On-demand mode: before a decision is made, what it will look up is in the mesh, or the control plane has said that it does not exist (control-path 3.8). A connection whose destination stays unknown fails;
/// taking it for an address outside the mesh would send it in plain text.
/// </summary>
internal sealed class OnDemandMesh(IMeshStore mesh, RoutingContext routing, AddressFetcher fetch)
{
    // Destination, its waypoint or gateway, and what that leads to.
    private const int MaxRounds = 4;

    public ValueTask<ConnectionOutcome> PrepareOutboundAsync(Workload source, IPEndPoint target) =>
        PrepareAsync(snapshot => LookupNames.ForOutbound(snapshot, routing, source, target));

    public ValueTask<ConnectionOutcome> PrepareInboundAsync(Workload local, IPAddress localAddress, ConnectAuthority authority) =>
        PrepareAsync(snapshot => LookupNames.ForInbound(snapshot, routing, local, localAddress, authority));

    private ValueTask<ConnectionOutcome> PrepareAsync(Func<MeshSnapshot, IReadOnlyCollection<string>> missing)
    {
        IReadOnlyCollection<string> first = missing(mesh.Current);
        return first.Count == 0 ? default : FetchAsync(first, missing);
    }

    private async ValueTask<ConnectionOutcome> FetchAsync(IReadOnlyCollection<string> names, Func<MeshSnapshot, IReadOnlyCollection<string>> missing)
    {
        HashSet<string> asked = new(StringComparer.Ordinal);
        for (int round = 0; round < MaxRounds && names.Count > 0; round++)
        {
            bool[] answered = await Task.WhenAll(names.Select(name => fetch(name, CancellationToken.None).AsTask()));
            if (answered.AsSpan().IndexOf(false) is >= 0 and var unanswered)
                return new ConnectionOutcome(EndReason.NoRoute, $"the control plane did not say in time what {names.ElementAt(unanswered)} is");
            asked.UnionWith(names);
            names = [.. missing(mesh.Current).Where(name => !asked.Contains(name))];
        }

        return default;
    }
}
