using System.Globalization;
using System.Security.Cryptography;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Protos.Discovery;
using WireAddress = Ztunnel.Protos.Workloads.Address;

namespace Ztunnel.Istiod.Mesh;

/// <summary>A mesh as the resources of delta ADS: by name, with content hashes as versions for addresses and none for policies, as istiod has it (control-path 3.11). Immutable.</summary>
public sealed class MeshResources
{
    public const string AddressUrl = "type.googleapis.com/istio.workload.Address";
    public const string AuthorizationUrl = "type.googleapis.com/istio.security.Authorization";

    public static readonly MeshResources Empty = From(MeshSnapshot.Empty);

    private readonly Dictionary<string, Resource> _addresses = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Resource> _authorizations = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);                      // alias to name
    private readonly Dictionary<string, List<string>> _workloadsByService = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<string>> _workloadsByNode = new(StringComparer.Ordinal);
    private readonly HashSet<(string Node, string Namespace, string Account)> _accounts = [];

    private MeshResources()
    {
    }

    /// <summary>The nodes that have workloads.</summary>
    public IEnumerable<string> Nodes => _workloadsByNode.Keys.Where(static node => node.Length > 0);

    public static MeshResources From(MeshSnapshot mesh)
    {
        MeshResources resources = new();
        ILookup<string, (NamespacedName Service, PortMap Ports)> memberships = mesh.Services
            .SelectMany(service => (mesh.FindEndpoints(service.Key)?.All ?? []).Select(endpoint => (endpoint.Workload.Uid, service.Key, endpoint.Ports)))
            .Concat(mesh.StagedServices.SelectMany(static staged => staged.All.Select(endpoint => (endpoint.Workload.Uid, staged.Key, endpoint.Ports))))
            .OrderBy(static endpoint => endpoint.Key.ToString(), StringComparer.Ordinal)
            .ToLookup(static endpoint => endpoint.Uid, static endpoint => (endpoint.Key, endpoint.Ports));
        foreach (Workload workload in mesh.Workloads) resources.Add(workload, memberships[workload.Uid]);
        foreach (Service service in mesh.Services) resources.Add(service);
        foreach (Policy policy in mesh.AllPolicies) resources._authorizations[policy.Key] = Create(policy.Key, AuthorizationUrl, PolicyWriter.Write(policy), version: false);
        return resources;
    }

    public IReadOnlyDictionary<string, Resource> OfType(string typeUrl) => typeUrl == AddressUrl ? _addresses : _authorizations;

    public IEnumerable<string> WorkloadsOf(string node) => _workloadsByNode.GetValueOrDefault(node) ?? [];

    /// <summary>What a client gets that asks for a name or an alias: a workload, or a service and all its workloads. Nothing: there is nothing of that name.</summary>
    public IEnumerable<string> Resolve(string asked)
    {
        string name = _names.GetValueOrDefault(asked, asked);
        if (!_addresses.ContainsKey(name)) return [];
        return [name, .. _workloadsByService.GetValueOrDefault(name) ?? []];
    }

    /// <summary>Whether a pod of this account runs on the node: only then the node may ask for its certificate (istio-integration 5).</summary>
    public bool HasAccount(string node, string @namespace, string account) => _accounts.Contains((node, @namespace, account));

    private void Add(Workload workload, IEnumerable<(NamespacedName Service, PortMap Ports)> memberships)
    {
        Resource resource = Create(workload.Uid, AddressUrl, new WireAddress { Workload = WorkloadWriter.Write(workload, memberships) }, version: true);
        _addresses[workload.Uid] = resource;
        foreach (System.Net.IPAddress address in workload.Addresses.ToArray()) AddAlias($"{workload.Network}/{address}", workload.Uid, resource);
        foreach ((NamespacedName service, _) in memberships) AddTo(_workloadsByService, service.ToString(), workload.Uid);
        AddTo(_workloadsByNode, workload.Node, workload.Uid);
        _accounts.Add((workload.Node, workload.Namespace, workload.ServiceAccount));
    }

    private void Add(Service service)
    {
        string name = service.Key.ToString();
        Resource resource = Create(name, AddressUrl, new WireAddress { Service = WorkloadWriter.Write(service) }, version: true);
        _addresses[name] = resource;
        foreach (NetworkAddress vip in service.Vips) AddAlias(vip.ToString(), name, resource);
    }

    private void AddAlias(string alias, string name, Resource resource)
    {
        resource.Aliases.Add(alias);
        _names[alias] = name;
    }

    private static void AddTo(Dictionary<string, List<string>> lists, string key, string item)
    {
        if (!lists.TryGetValue(key, out List<string>? list)) lists[key] = list = [];
        list.Add(item);
    }

    private static Resource Create(string name, string typeUrl, IMessage payload, bool version)
    {
        ByteString bytes = payload.ToByteString();
        return new Resource
        {
            Name = name,
            // Hexadecimal without leading zeros, as istiod writes it.
            Version = version ? BitConverter.ToUInt64(SHA256.HashData(bytes.Span)).ToString("x", CultureInfo.InvariantCulture) : "",
            Resource_ = new Any { TypeUrl = typeUrl, Value = bytes },
        };
    }
}
