using Ztunnel.ControlPlane.LocalFile.Yaml;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;

namespace Ztunnel.ControlPlane.LocalFile;

/// <summary>Reads one item of <c>services</c> (control-path 2.5).</summary>
internal static class ServiceItem
{
    private static readonly Words<LocalityScope> Scopes = new(
        ("Region", LocalityScope.Region), ("Zone", LocalityScope.Zone), ("Subzone", LocalityScope.Subzone),
        ("Node", LocalityScope.Node), ("Cluster", LocalityScope.Cluster), ("Network", LocalityScope.Network));

    private static readonly Words<LoadBalancerMode> Modes = new(
        ("Standard", LoadBalancerMode.Standard), ("Strict", LoadBalancerMode.Strict), ("Failover", LoadBalancerMode.Failover), ("Passthrough", LoadBalancerMode.Passthrough));

    private static readonly Words<HealthPolicy> HealthPolicies = new(("OnlyHealthy", HealthPolicy.OnlyHealthy), ("AllowAll", HealthPolicy.AllowAll));
    private static readonly Words<IpFamilies> Families = new(("Dual", IpFamilies.Dual), ("IPv4", IpFamilies.IPv4), ("IPv6", IpFamilies.IPv6));
    private static readonly Words<ServiceVisibility> Visibilities = new(("Public", ServiceVisibility.Public), ("Namespace", ServiceVisibility.Namespace));

    /// <summary>Null: it is not even a map. Otherwise what could be read; the file counts only if there was no problem.</summary>
    public static Service? Read(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (MapFields.Open(node, path, problems) is not { } fields) return null;

        Service service = new()
        {
            Name = fields.RequiredText("name"),
            Namespace = fields.RequiredText("namespace"),
            Hostname = fields.RequiredText("hostname"),
            Vips = fields.List("vips", required: true, AddressValues.NetworkAddress).ToValueArray(),
            CidrVips = fields.List("cidrVips", required: false, ReadCidrVip).ToValueArray(),
            Ports = AddressValues.Ports(fields.Required("ports"), path.Key("ports"), problems),
            SubjectAltNames = fields.List("subjectAltNames", required: false, static (item, at, list) => Values.AsText(item, at, list) ?? "").ToValueArray(),
            Waypoint = AddressValues.Gateway(fields.Nullable("waypoint"), path.Key("waypoint"), problems),
            WeightedWaypoints = fields.List("weightedWaypoints", required: false, ReadWeightedWaypoint).OfType<WeightedWaypoint>().ToValueArray(),
            LoadBalancer = ReadLoadBalancer(fields, problems),
            IpFamilies = fields.Nullable("ipFamilies") is { } families ? Families.Read(families, path.Key("ipFamilies"), problems) : IpFamilies.Unspecified,
            Canonical = fields.Boolean("canonical", absent: false),
            Visibility = fields.Word("visibility", Visibilities, absent: ServiceVisibility.Public),
            Endpoints = ReadEndpoints(fields, problems),
        };
        fields.RejectOthers();
        return service;
    }

    private static NetworkCidr ReadCidrVip(YamlNode node, FieldPath path, ProblemList problems)
    {
        string network = "";
        Cidr? cidr = null;
        if (MapFields.Open(node, path, problems) is { } fields)
        {
            network = fields.Text("network");
            if (fields.Required("cidr") is { } text) cidr = AddressValues.Cidr(text, path.Key("cidr"), problems);
            fields.RejectOthers();
        }
        return new NetworkCidr(network, cidr!);   // null only beside a problem, with which the whole file is refused
    }

    private static WeightedWaypoint? ReadWeightedWaypoint(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (MapFields.Open(node, path, problems) is not { } fields) return null;

        GatewayAddress? destination = AddressValues.Gateway(fields.Required("destination"), path.Key("destination"), problems);
        uint weight = fields.Required("weight") is { } number ? Values.AsNumber(number, path.Key("weight"), 0, uint.MaxValue, problems) : 0;
        fields.RejectOthers();
        return destination is null ? null : new WeightedWaypoint(destination, weight);
    }

    private static LoadBalancer? ReadLoadBalancer(MapFields service, ProblemList problems)
    {
        FieldPath path = service.Path.Key("loadBalancer");
        if (service.Nullable("loadBalancer") is not { } node || MapFields.Open(node, path, problems) is not { } fields) return null;

        LoadBalancer loadBalancer = new(
            fields.List("routingPreferences", required: true, Scopes.Read).ToValueArray(),
            fields.RequiredWord("mode", Modes),
            fields.RequiredWord("healthPolicy", HealthPolicies));
        fields.RejectOthers();
        return loadBalancer;
    }

    private static ValueArray<Endpoint> ReadEndpoints(MapFields service, ProblemList problems)
    {
        FieldPath path = service.Path.Key("endpoints");
        if (service.Optional("endpoints") is not { } node || Values.AsMap(node, path, problems) is not { } map) return [];

        List<Endpoint> endpoints = new(map.Entries.Count);
        foreach ((YamlScalar uid, YamlNode item) in map.Entries)
        {
            FieldPath at = path.Key(uid.Text);
            if (MapFields.Open(item, at, problems) is not { } fields) continue;

            if (fields.Text("workloadUid", absent: uid.Text) != uid.Text) problems.Add(fields.Position, at.Key("workloadUid"), $"expected the same as the key, {uid.Text}");
            PortMap ports = AddressValues.Ports(fields.Optional("port"), at.Key("port"), problems);
            endpoints.Add(new Endpoint(uid.Text, ports, fields.Word("status", WorkloadItem.Statuses, absent: HealthStatus.Healthy)));
            fields.RejectOthers();
        }
        return endpoints.ToValueArray();
    }
}
