using System.Globalization;
using System.Net;
using System.Text.Json;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Http.Dump;

/// <summary>Workloads and services as istioctl reads them (control-path 9.2): keys in alphabetical order, empty ones left out where the existing program leaves them out.</summary>
internal static class MeshJson
{
    // An IPv6 address with scope is at most 65 characters long; names of networks are short.
    private const int LongestAddress = 160;

    // A host name is at most 253 characters long, a namespace 63.
    private const int LongestName = 320;

    /// <param name="json">The writer.</param>
    /// <param name="workload">The record.</param>
    /// <param name="withPorts">The local file's own view shows the ports of the services that a workload serves; the state has them at the service and only names it here.</param>
    public static void Write(Utf8JsonWriter json, Workload workload, bool withPorts)
    {
        json.WriteStartObject();
        if (workload.ApplicationTunnel is { } tunnel)
            WriteApplicationTunnel(json, tunnel);
        if (!workload.AuthorizationPolicies.IsEmpty)
        {
            json.WriteStartArray("authorizationPolicies");
            foreach (string key in workload.AuthorizationPolicies)
                json.WriteStringValue(key);
            json.WriteEndArray();
        }

        WriteText(json, "canonicalName", workload.CanonicalName);
        WriteText(json, "canonicalRevision", workload.CanonicalRevision);
        json.WriteNumber("capacity", workload.Capacity);
        json.WriteString("clusterId", workload.ClusterId);
        WriteText(json, "hostname", workload.Hostname);
        if (workload.Locality != Locality.None)
        {
            json.WriteStartObject("locality");
            json.WriteString("region", workload.Locality.Region);
            json.WriteString("subzone", workload.Locality.Subzone);
            json.WriteString("zone", workload.Locality.Zone);
            json.WriteEndObject();
        }

        json.WriteString("name", workload.NameSpan);
        json.WriteString("namespace", workload.Namespace);
        if (workload.NativeTunnel)
            json.WriteBoolean("nativeTunnel", value: true);
        WriteText(json, "network", workload.Network);
        WriteGateway(json, "networkGateway", workload.NetworkGateway);
        json.WriteString("networkMode", Word(workload.NetworkMode));
        WriteText(json, "node", workload.Node);
        json.WriteString("protocol", workload.Protocol == TunnelProtocol.Hbone ? "HBONE" : "TCP");
        WriteText(json, "serviceAccount", workload.ServiceAccount);
        if (withPorts)
            WriteMemberships(json, workload);
        else
            WriteServiceNames(json, workload);
        json.WriteString("status", Word(workload.Status));
        WriteText(json, "trustDomain", workload.TrustDomain);
        WriteText(json, "uid", workload.Uid);
        WriteGateway(json, "waypoint", workload.Waypoint);
        json.WriteStartArray("workloadIps");
        for (int i = 0; i < workload.Addresses.Count; i++)
            WriteAddress(json, network: null, workload.Addresses[i]);
        json.WriteEndArray();
        WriteText(json, "workloadName", workload.WorkloadName);
        WriteText(json, "workloadType", workload.WorkloadType);
        json.WriteEndObject();
    }

    public static void Write(Utf8JsonWriter json, Service service, IEnumerable<EndpointMember> endpoints)
    {
        json.WriteStartObject();
        json.WriteBoolean("canonical", service.Canonical);
        if (!service.CidrVips.IsEmpty)
        {
            json.WriteStartArray("cidrVips");
            foreach (NetworkCidr cidr in service.CidrVips)
            {
                json.WriteStartObject();
                json.WriteString("cidr", cidr.Cidr.ToString());
                json.WriteString("network", cidr.Network);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WritePropertyName("endpoints");
        WriteEndpoints(json, endpoints);
        json.WriteString("hostname", service.Hostname);
        if (service.IpFamilies != IpFamilies.Unspecified)
            json.WriteString("ipFamilies", service.IpFamilies.ToString());
        if (service.LoadBalancer is { } balancer)
            WriteLoadBalancer(json, balancer);
        json.WriteString("name", service.Name);
        json.WriteString("namespace", service.Namespace);
        WritePorts(json, "ports", service.Ports);
        json.WriteStartArray("subjectAltNames");
        foreach (string name in service.SubjectAltNames)
            json.WriteStringValue(name);
        json.WriteEndArray();
        json.WriteStartArray("vips");
        foreach (NetworkAddress vip in service.Vips)
            WriteAddress(json, vip.Network, vip.Address);
        json.WriteEndArray();
        json.WriteString("visibility", service.Visibility.ToString());
        WriteGateway(json, "waypoint", service.Waypoint);
        WriteWeightedWaypoints(json, service.WeightedWaypoints);
        json.WriteEndObject();
    }

    /// <summary>Endpoints by workload uid.</summary>
    public static void WriteEndpoints(Utf8JsonWriter json, IEnumerable<EndpointMember> endpoints)
    {
        json.WriteStartObject();
        EndpointMember[] sorted = [.. endpoints];
        if (sorted.Length > 1)
            Array.Sort(sorted, static (one, other) => string.CompareOrdinal(one.Workload.Uid, other.Workload.Uid));
        foreach (EndpointMember endpoint in sorted)
        {
            json.WriteStartObject(endpoint.Workload.Uid);
            WritePorts(json, "port", endpoint.Ports);
            json.WriteString("status", Word(endpoint.Status));
            json.WriteString("workloadUid", endpoint.Workload.Uid);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteApplicationTunnel(Utf8JsonWriter json, ApplicationTunnel tunnel)
    {
        json.WriteStartObject("applicationTunnel");
        if (tunnel.Port == 0)
            json.WriteNull("port");
        else
            json.WriteNumber("port", tunnel.Port);
        json.WriteString("protocol", tunnel.Protocol == ApplicationProtocol.Proxy ? "PROXY" : "NONE");
        json.WriteEndObject();
    }

    private static void WriteMemberships(Utf8JsonWriter json, Workload workload)
    {
        json.WriteStartObject("services");
        Span<char> buffer = stackalloc char[LongestName];
        foreach (ServiceMembership membership in workload.Services)
            WritePorts(json, Format(buffer, membership.Service), membership.Ports);
        json.WriteEndObject();
    }

    private static void WriteServiceNames(Utf8JsonWriter json, Workload workload)
    {
        if (workload.Services.IsEmpty)
            return;
        Span<char> buffer = stackalloc char[LongestName];
        json.WriteStartArray("services");
        foreach (ServiceMembership membership in workload.Services)
            json.WriteStringValue(Format(buffer, membership.Service));
        json.WriteEndArray();
    }

    private static void WriteLoadBalancer(Utf8JsonWriter json, LoadBalancer balancer)
    {
        json.WriteStartObject("loadBalancer");
        json.WriteString("healthPolicy", balancer.HealthPolicy.ToString());
        json.WriteString("mode", balancer.Mode.ToString());
        json.WriteStartArray("routingPreferences");
        foreach (LocalityScope scope in balancer.RoutingPreferences)
            json.WriteStringValue(scope.ToString());
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteWeightedWaypoints(Utf8JsonWriter json, ValueArray<WeightedWaypoint> waypoints)
    {
        if (waypoints.IsEmpty)
            return;
        json.WriteStartArray("weightedWaypoints");
        foreach (WeightedWaypoint waypoint in waypoints)
        {
            json.WriteStartObject();
            WriteGateway(json, "destination", waypoint.Destination);
            json.WriteNumber("weight", waypoint.Weight);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteGateway(Utf8JsonWriter json, string name, GatewayAddress? gateway)
    {
        if (gateway is null)
            return;
        json.WriteStartObject(name);
        json.WriteString("destination", gateway.Destination);
        json.WriteNumber("hboneMtlsPort", gateway.HboneMtlsPort);
        json.WriteEndObject();
    }

    private static void WritePorts(Utf8JsonWriter json, ReadOnlySpan<char> name, PortMap ports)
    {
        Span<char> digits = stackalloc char[5];
        json.WriteStartObject(name);
        for (int i = 0; i < ports.Count; i++)
        {
            ports[i].ServicePort.TryFormat(digits, out int length, default, CultureInfo.InvariantCulture);
            json.WriteNumber(digits[..length], ports[i].TargetPort);
        }

        json.WriteEndObject();
    }

    // In place: a text for each membership would be most of what a dump allocates.
    private static ReadOnlySpan<char> Format(Span<char> buffer, NamespacedName name) =>
        buffer.TryWrite($"{name.Namespace}/{name.Name}", out int length) ? buffer[..length] : name.ToString();

    // Formatted in place: the text that an address keeps once it was asked for it would stay as long as the address.
    private static void WriteAddress(Utf8JsonWriter json, string? network, IPAddress address)
    {
        Span<char> text = stackalloc char[LongestAddress];
        int start = 0;
        if (network is not null)
        {
            if (network.Length > LongestAddress / 2)
            {
                json.WriteStringValue($"{network}/{address}");
                return;
            }

            network.CopyTo(text);
            text[network.Length] = '/';
            start = network.Length + 1;
        }

        address.TryFormat(text[start..], out int length);
        json.WriteStringValue(text[..(start + length)]);
    }

    private static string Word(HealthStatus status) => status == HealthStatus.Healthy ? nameof(HealthStatus.Healthy) : nameof(HealthStatus.Unhealthy);

    private static string Word(NetworkMode mode) => mode == NetworkMode.Standard ? nameof(NetworkMode.Standard) : nameof(NetworkMode.HostNetwork);

    private static void WriteText(Utf8JsonWriter json, string name, string value)
    {
        if (value.Length > 0)
            json.WriteString(name, value);
    }
}
