using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;

namespace Ztunnel.Proxy.Outbound;

/// <summary>What all loops together knew of the endpoints at one moment: for people who ask, since each loop decides by its own part.</summary>
internal sealed class NodeLoad : ILoadView
{
    private readonly Dictionary<string, EndpointState> _endpoints = new(StringComparer.Ordinal);

    internal NodeLoad(IEnumerable<IReadOnlyList<EndpointState>> loops)
    {
        foreach (EndpointState state in loops.SelectMany(static loop => loop))
        {
            EndpointState known = _endpoints.GetValueOrDefault(state.Uid, new EndpointState(state.Uid, 0, false));
            _endpoints[state.Uid] = new EndpointState(state.Uid, known.Connections + state.Connections, known.IsAvoided || state.IsAvoided);
        }
    }

    public int Connections(Workload workload) => _endpoints.GetValueOrDefault(workload.Uid).Connections;

    /// <summary>At least one loop avoids it.</summary>
    public bool IsAvoided(Workload workload) => _endpoints.GetValueOrDefault(workload.Uid).IsAvoided;
}

/// <summary>What one loop knows of an endpoint that it uses or avoids.</summary>
internal readonly record struct EndpointState(string Uid, int Connections, bool IsAvoided);
