using Ztunnel.ControlPlane.LocalFile.Yaml;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;

namespace Ztunnel.ControlPlane.LocalFile;

/// <summary>Reads one item of <c>workloads</c> (control-path 2.5).</summary>
internal static class WorkloadItem
{
    private static readonly Words<TunnelProtocol> Protocols = new(("TCP", TunnelProtocol.None), ("HBONE", TunnelProtocol.Hbone));
    private static readonly Words<NetworkMode> NetworkModes = new(("Standard", NetworkMode.Standard), ("HostNetwork", NetworkMode.HostNetwork));
    private static readonly Words<ApplicationProtocol> ApplicationProtocols = new(("NONE", ApplicationProtocol.None), ("PROXY", ApplicationProtocol.Proxy));

    public static readonly Words<HealthStatus> Statuses = new(("Healthy", HealthStatus.Healthy), ("Unhealthy", HealthStatus.Unhealthy));

    /// <summary>Null: it is not even a map. Otherwise what could be read; the file counts only if there was no problem.</summary>
    public static Workload? Read(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (MapFields.Open(node, path, problems) is not { } fields) return null;

        string @namespace = fields.RequiredText("namespace");
        string name = fields.Text("name");
        Workload workload = new()
        {
            // Without a uid an item still needs a key of its own; two that come out the same are reported as duplicates.
            Uid = fields.Text("uid") is { Length: > 0 } uid ? uid : $"file//{@namespace}/{name}",
            Name = name,
            Addresses = IpAddresses.Create([.. fields.List("workloadIps", required: true, AddressValues.Ip)]),
            Node = fields.Text("node"),
            Locality = ReadLocality(fields, problems),
            Status = fields.Word("status", Statuses, absent: HealthStatus.Healthy),
            Traits = new WorkloadTraits
            {
                Identity = new SpiffeId(fields.Text("trustDomain"), @namespace, fields.Text("serviceAccount")),
                Network = fields.Text("network"),
                ClusterId = fields.Text("clusterId"),
                CanonicalName = fields.Text("canonicalName"),
                CanonicalRevision = fields.Text("canonicalRevision"),
                WorkloadType = fields.Text("workloadType"),
                WorkloadName = fields.Text("workloadName"),
                Hostname = fields.Text("hostname"),
                Protocol = fields.Word("protocol", Protocols, absent: TunnelProtocol.None),
                NetworkMode = fields.Word("networkMode", NetworkModes, absent: NetworkMode.Standard),
                NativeTunnel = fields.Boolean("nativeTunnel", absent: false),
                Capacity = fields.Number("capacity", 0, uint.MaxValue, absent: 1),
                Waypoint = AddressValues.Gateway(fields.Nullable("waypoint"), path.Key("waypoint"), problems),
                NetworkGateway = AddressValues.Gateway(fields.Nullable("networkGateway"), path.Key("networkGateway"), problems),
                ApplicationTunnel = ReadTunnel(fields, problems),
                AuthorizationPolicies = fields.List("authorizationPolicies", required: false, AddressValues.Name).Select(static key => key.ToString()).ToValueArray(),
                Services = ReadServices(fields, problems),
            },
        };
        fields.RejectOthers();
        return workload;
    }

    private static Locality ReadLocality(MapFields workload, ProblemList problems)
    {
        FieldPath path = workload.Path.Key("locality");
        if (workload.Nullable("locality") is not { } node || MapFields.Open(node, path, problems) is not { } fields) return Locality.None;

        Locality locality = new(Part("region"), Part("zone"), Part("subzone"));
        fields.RejectOthers();
        return locality;

        string Part(string key) => fields.Required(key) is { } part ? Values.AsText(part, path.Key(key), problems) ?? "" : "";
    }

    private static ApplicationTunnel? ReadTunnel(MapFields workload, ProblemList problems)
    {
        FieldPath path = workload.Path.Key("applicationTunnel");
        if (workload.Nullable("applicationTunnel") is not { } node || MapFields.Open(node, path, problems) is not { } fields) return null;

        ApplicationProtocol protocol = fields.RequiredWord("protocol", ApplicationProtocols);
        ushort port = fields.Nullable("port") is { } number ? AddressValues.Port(number, path.Key("port"), problems) : (ushort)0;
        fields.RejectOthers();
        return new ApplicationTunnel(protocol, port);
    }

    private static ValueArray<ServiceMembership> ReadServices(MapFields workload, ProblemList problems)
    {
        FieldPath path = workload.Path.Key("services");
        if (workload.Required("services") is not { } node || Values.AsMap(node, path, problems) is not { } map) return [];

        List<ServiceMembership> services = new(map.Entries.Count);
        foreach ((YamlScalar key, YamlNode ports) in map.Entries)
        {
            NamespacedName service = AddressValues.Name(key, path, problems);
            services.Add(new ServiceMembership(service, AddressValues.Ports(ports, path.Key(key.Text), problems)));
        }
        return services.ToValueArray();
    }
}
