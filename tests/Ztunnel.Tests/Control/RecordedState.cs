using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Ztunnel.Protos.Discovery;
using Ztunnel.Protos.Security;
using Ztunnel.Protos.Workloads;
using Authorization = Ztunnel.Protos.Security.Authorization;
using WireAddress = Ztunnel.Protos.Workloads.Address;
using WireCidr = Ztunnel.Protos.Security.Address;

namespace Ztunnel.Tests.Control;

/// <summary>
/// What recorded responses add up to, in the form of the original's dump. The original's own dump was recorded after the first connections only; that this rendering is the original's is held against those,
/// field by field, and then it stands for the dumps of the other steps. It reads the messages by itself and shares nothing with the product.
/// </summary>
internal sealed class RecordedState
{
    private readonly Dictionary<string, WireAddress> _addresses = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Authorization> _policies = new(StringComparer.Ordinal);

    private IEnumerable<Workload> Workloads => _addresses.Values.Where(static address => address.Workload is not null).Select(static address => address.Workload);

    private IEnumerable<Service> Services => _addresses.Values.Where(static address => address.Service is not null).Select(static address => address.Service);

    public void Apply(DeltaDiscoveryResponse response)
    {
        bool isPolicies = response.TypeUrl.EndsWith("Authorization", StringComparison.Ordinal);
        foreach (string name in response.RemovedResources)
            _ = isPolicies ? _policies.Remove(name) : _addresses.Remove(name);
        foreach (Resource resource in response.Resources)
        {
            if (isPolicies)
                _policies[resource.Name] = Authorization.Parser.ParseFrom(resource.Resource_.Value);
            // What is refused (step 13: an address of five bytes) leaves in place what was held under the name.
            else if (WireAddress.Parser.ParseFrom(resource.Resource_.Value) is var address && address.Workload?.Addresses.Any(static bytes => bytes.Length is not (4 or 16)) != true)
                _addresses[resource.Name] = address;
        }
    }

    public JsonObject ToDump() => new()
    {
        ["workloads"] = List(Workloads, Render),
        ["services"] = List(Services, Render),
        ["policies"] = List(_policies.Values, Render),
        ["stagedServices"] = Staged(),
    };

    private static JsonNode Render(Workload workload)
    {
        JsonObject record = new()
        {
            ["capacity"] = workload.Capacity ?? 1,
            ["clusterId"] = workload.ClusterId is "" ? "Kubernetes" : workload.ClusterId,
            ["name"] = workload.Name,
            ["namespace"] = workload.Namespace,
            ["networkMode"] = workload.NetworkMode.ToString(),
            ["protocol"] = workload.TunnelProtocol == TunnelProtocol.Hbone ? "HBONE" : "TCP",
            ["status"] = workload.Status.ToString(),
            ["workloadIps"] = List(workload.Addresses, static address => Text(address)),
        };
        foreach ((string name, string value) in ((string, string)[])
            [
                ("canonicalName", workload.CanonicalName), ("canonicalRevision", workload.CanonicalRevision), ("hostname", workload.Hostname), ("network", workload.Network), ("node", workload.Node),
                ("serviceAccount", workload.ServiceAccount is "" ? "default" : workload.ServiceAccount), ("trustDomain", workload.TrustDomain is "" ? "cluster.local" : workload.TrustDomain), ("uid", workload.Uid), ("workloadName", workload.WorkloadName),
                ("workloadType", workload.WorkloadType.ToString().ToLowerInvariant()),
            ])
        {
            if (value.Length > 0)
                record[name] = value;
        }

        if (workload.NativeTunnel)
            record["nativeTunnel"] = true;
        if (workload.AuthorizationPolicies.Count > 0)
            record["authorizationPolicies"] = List(workload.AuthorizationPolicies, static key => key);
        if (workload.Services.Count > 0)
            record["services"] = List(workload.Services.Keys, static key => key);
        if (workload.Locality is { } locality)
            record["locality"] = new JsonObject { ["region"] = locality.Region, ["subzone"] = locality.Subzone, ["zone"] = locality.Zone };
        AddGateway(record, "networkGateway", workload.NetworkGateway);
        AddGateway(record, "waypoint", workload.Waypoint);
        return record;
    }

    private JsonNode Render(Service service)
    {
        bool takesAll = service.LoadBalancing?.HealthPolicy == LoadBalancing.Types.HealthPolicy.AllowAll;
        JsonObject record = new()
        {
            ["canonical"] = service.Canonical,
            ["endpoints"] = Endpoints($"{service.Namespace}/{service.Hostname}", takesAll),
            ["hostname"] = service.Hostname,
            ["name"] = service.Name,
            ["namespace"] = service.Namespace,
            ["ports"] = Ports(service.Ports),
            ["subjectAltNames"] = List(service.SubjectAltNames, static name => name),
            ["vips"] = List(service.Addresses.Where(static address => !address.HasLength), static address => $"{address.Network}/{Text(address.Address)}"),
            ["visibility"] = service.Visibility.ToString(),
        };
        if (service.Addresses.Any(static address => address.HasLength))
        {
            record["cidrVips"] = List(
                service.Addresses.Where(static address => address.HasLength),
                static address => new JsonObject { ["cidr"] = $"{Text(address.Address)}/{address.Length}", ["network"] = address.Network });
        }

        if (service.IpFamilies != IPFamilies.Automatic)
            record["ipFamilies"] = service.IpFamilies == IPFamilies.Dual ? "Dual" : service.IpFamilies == IPFamilies.Ipv4Only ? "IPv4" : "IPv6";
        if (service.LoadBalancing is { } balancing)
        {
            record["loadBalancer"] = new JsonObject
            {
                ["healthPolicy"] = balancing.HealthPolicy.ToString(),
                ["mode"] = balancing.Mode == LoadBalancing.Types.Mode.UnspecifiedMode ? "Standard" : balancing.Mode.ToString(),
                ["routingPreferences"] = List(balancing.RoutingPreference, static scope => scope.ToString()),
            };
        }

        AddGateway(record, "waypoint", service.Waypoint);
        return record;
    }

    private JsonObject Staged()
    {
        HashSet<string> known = [.. Services.Select(static service => $"{service.Namespace}/{service.Hostname}")];
        JsonObject staged = [];
        foreach (string key in Workloads.SelectMany(static workload => workload.Services.Keys).Distinct().Where(key => !known.Contains(key)))
            staged[key] = Endpoints(key, takesAll: true);
        return staged;
    }

    private JsonObject Endpoints(string service, bool takesAll)
    {
        JsonObject endpoints = [];
        foreach (Workload workload in Workloads.Where(workload => workload.Services.ContainsKey(service) && (takesAll || workload.Status == WorkloadStatus.Healthy)))
            endpoints[workload.Uid] = new JsonObject { ["port"] = Ports(workload.Services[service].Ports), ["status"] = workload.Status.ToString(), ["workloadUid"] = workload.Uid };
        return endpoints;
    }

    private static JsonNode Render(Authorization policy) => new JsonObject
    {
        ["action"] = policy.Action.ToString(),
        ["dryRun"] = policy.DryRun,
        ["name"] = policy.Name,
        ["namespace"] = policy.Namespace,
        ["rules"] = List(policy.Rules, static rule => List(rule.Clauses, static clause => List(clause.Matches, Render))),
        ["scope"] = policy.Scope.ToString(),
    };

    private static JsonNode Render(Match match)
    {
        JsonObject record = [];
        Add("destinationIps", match.DestinationIps, Render);
        Add("destinationPorts", match.DestinationPorts, static port => port);
        Add("namespaces", match.Namespaces, Render);
        Add("notDestinationIps", match.NotDestinationIps, Render);
        Add("notDestinationPorts", match.NotDestinationPorts, static port => port);
        Add("notNamespaces", match.NotNamespaces, Render);
        Add("notPrincipals", match.NotPrincipals, Render);
        Add("notServiceAccounts", match.NotServiceAccounts, Render);
        Add("notSourceIps", match.NotSourceIps, Render);
        Add("principals", match.Principals, Render);
        Add("serviceAccounts", match.ServiceAccounts, Render);
        Add("sourceIps", match.SourceIps, Render);
        return record;

        void Add<T>(string name, IReadOnlyCollection<T> items, Func<T, JsonNode?> render)
        {
            if (items.Count > 0)
                record[name] = List(items, render);
        }
    }

    private static JsonNode Render(StringMatch match) => match.MatchTypeCase switch
    {
        StringMatch.MatchTypeOneofCase.Exact => new JsonObject { ["Exact"] = match.Exact },
        StringMatch.MatchTypeOneofCase.Prefix => new JsonObject { ["Prefix"] = match.Prefix },
        StringMatch.MatchTypeOneofCase.Suffix => new JsonObject { ["Suffix"] = match.Suffix },
        _ => new JsonObject { ["Presence"] = new JsonArray() },
    };

    private static JsonNode Render(ServiceAccountMatch match) => new JsonObject { ["namespace"] = match.Namespace, ["serviceAccount"] = match.ServiceAccount };

    private static JsonNode? Render(WireCidr cidr) => $"{Text(cidr.Address_)}/{cidr.Length}";

    private static JsonObject Ports(IEnumerable<Port> ports)
    {
        JsonObject map = [];
        foreach (Port port in ports)
            map[port.ServicePort.ToString(CultureInfo.InvariantCulture)] = port.TargetPort;
        return map;
    }

    private static void AddGateway(JsonObject record, string name, GatewayAddress? gateway)
    {
        if (gateway is null)
            return;
        string destination = gateway.Hostname is { } hostname ? $"{hostname.Namespace}/{hostname.Hostname}" : $"{gateway.Address.Network}/{Text(gateway.Address.Address)}";
        record[name] = new JsonObject { ["destination"] = destination, ["hboneMtlsPort"] = gateway.HboneMtlsPort };
    }

    private static JsonArray List<T>(IEnumerable<T> items, Func<T, JsonNode?> render) => new([.. items.Select(render)]);

    private static string Text(ByteString address) => new IPAddress(address.Span).ToString();
}
