using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;

namespace Ztunnel.Mesh.State;

/// <summary>A service with the workloads that serve it. Without a service it holds the endpoints of one that has not arrived yet ("staged").</summary>
/// <remarks>
/// Membership comes from the workloads, of every status, and is filtered when endpoints are chosen: so records may arrive in any order, and a change of the
/// health policy brings endpoints back (control-path W-11). Immutable but for the tables routing derives from it and keeps here.
/// </remarks>
public sealed class ServiceEndpoints
{
    private readonly Workload[] _members;    // those whose own record names the service
    private readonly EndpointMember[] _stated;   // those the service's record names, resolved; only the local file has them

    internal ServiceEndpoints(NamespacedName key, Service? service, Workload[] members, EndpointMember[] stated)
    {
        Key = key;
        Service = service;
        _members = members;
        _stated = stated;
    }

    public NamespacedName Key { get; }

    public Service? Service { get; }

    /// <summary>Endpoints of every status.</summary>
    public int Count => _members.Length + _stated.Length;

    internal Workload[] Members => _members;

    internal EndpointTables Tables { get; } = new();

    internal EndpointMember this[int index] => index < _members.Length
        ? new EndpointMember(_members[index], _members[index].PortsFor(Key) ?? PortMap.Empty, _members[index].Status)
        : _stated[index - _members.Length];

    /// <summary>Every endpoint, whatever its status.</summary>
    public IEnumerable<EndpointMember> All
    {
        get
        {
            for (int i = 0; i < Count; i++) yield return this[i];
        }
    }

    /// <summary>The endpoints load balancing and DNS may use: the healthy ones, or all where the service's health policy says so.</summary>
    public IEnumerable<EndpointMember> Included => All.Where(Includes);

    /// <summary>The endpoint at an index below <see cref="Count"/>, if load balancing and DNS may use it. For those who must not allocate.</summary>
    public bool TryGetIncluded(int index, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Workload? workload)
    {
        EndpointMember member = this[index];
        workload = Includes(member) ? member.Workload : null;
        return workload is not null;
    }

    /// <summary>The workload's port map as an endpoint of this service, or null when it is none of them.</summary>
    public PortMap? PortsOf(Workload workload)
    {
        if (workload.PortsFor(Key) is { } ports) return ports;
        foreach (EndpointMember member in _stated)
        {
            if (member.Workload.Uid == workload.Uid) return member.Ports;
        }
        return null;
    }

    public bool IsServedBy(Workload workload) => PortsOf(workload) is not null;

    internal bool Includes(EndpointMember member) => member.Status == HealthStatus.Healthy || Service?.LoadBalancer?.HealthPolicy == HealthPolicy.AllowAll;
}

/// <summary>A workload as an endpoint of one service.</summary>
public readonly record struct EndpointMember(Workload Workload, PortMap Ports, HealthStatus Status);
