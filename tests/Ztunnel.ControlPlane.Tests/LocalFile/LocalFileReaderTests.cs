using System.Net;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.ControlPlane.Tests.Support;
using Ztunnel.Mesh.Model;

namespace Ztunnel.ControlPlane.Tests.LocalFile;

public sealed class LocalFileReaderTests
{
    [Theory]
    [InlineData("dedicated-mesh.yaml", 5, 5, 1)]
    [InlineData("dedicated-mesh-allow.yaml", 5, 5, 2)]
    [InlineData("dedicated-mesh-strict.yaml", 5, 5, 1)]
    [InlineData("dedicated-mesh-tunnel.yaml", 5, 5, 1)]
    [InlineData("inpod-mesh.yaml", 5, 5, 1)]
    [InlineData("dns-mesh.yaml", 3, 12, 0)]
    public void Read_FilesOfTheOriginal_Load(string name, int workloads, int services, int policies)
    {
        LocalMesh mesh = Read(Fixture.Text($"local/{name}"));

        Assert.Equal((workloads, services, policies), (mesh.Workloads.Length, mesh.Services.Length, mesh.Policies.Length));
    }

    [Fact]
    public void Read_EveryFieldOfAWorkload_IsTaken()
    {
        Workload workload = Read(
            """
            workloads:
            - uid: c//Pod/shop/cart-0
              name: cart-0
              namespace: shop
              network: net1
              node: node-a
              hostname: cart.example
              workloadName: cart
              workloadType: deployment
              canonicalName: cart-canonical
              canonicalRevision: 2
              trustDomain: td
              serviceAccount: cart-sa
              clusterId: east
              workloadIps: [10.0.0.1, "::ffff:10.0.0.2", "fd00::1"]
              protocol: HBONE
              networkMode: HostNetwork
              waypoint: {destination: net2/10.0.0.9, hboneMtlsPort: 15009}
              networkGateway: {destination: istio-system/gateway.example}
              applicationTunnel: {protocol: PROXY, port: 8090}
              nativeTunnel: true
              authorizationPolicies: [shop/one, shop/two]
              status: Unhealthy
              locality: {region: r, zone: z, subzone: ""}
              capacity: 4
              services: {shop/cart.example: {80: 8080, "81": 8081}}
            """).Workloads.Single();

        Assert.Equal("c//Pod/shop/cart-0", workload.Uid);
        Assert.Equal(("cart-0", "shop", "net1", "node-a", "cart.example"), (workload.Name, workload.Namespace, workload.Network, workload.Node, workload.Hostname));
        Assert.Equal(("cart", "deployment", "cart-canonical", "2"), (workload.WorkloadName, workload.WorkloadType, workload.CanonicalName, workload.CanonicalRevision));
        Assert.Equal("spiffe://td/ns/shop/sa/cart-sa", workload.Identity.Text);
        Assert.Equal("east", workload.ClusterId);
        Assert.Equal(["10.0.0.1", "10.0.0.2", "fd00::1"], workload.Addresses.ToArray().Select(static a => a.ToString()));
        Assert.Equal((TunnelProtocol.Hbone, NetworkMode.HostNetwork, true), (workload.Protocol, workload.NetworkMode, workload.NativeTunnel));
        Assert.Equal(new GatewayAddress(new NetworkAddress("net2", IPAddress.Parse("10.0.0.9")), 15009), workload.Waypoint);
        Assert.Equal(new GatewayAddress(new NamespacedName("istio-system", "gateway.example"), 15008), workload.NetworkGateway);
        Assert.Equal(new ApplicationTunnel(ApplicationProtocol.Proxy, 8090), workload.ApplicationTunnel);
        Assert.Equal(["shop/one", "shop/two"], workload.AuthorizationPolicies);
        Assert.Equal((HealthStatus.Unhealthy, new Locality("r", "z", ""), 4u), (workload.Status, workload.Locality, workload.Capacity));
        Assert.Equal(Ports((80, 8080), (81, 8081)), workload.PortsFor(new NamespacedName("shop", "cart.example")));
    }

    [Fact]
    public void Read_WorkloadWithTheLeast_HasTheDefaults()
    {
        Workload workload = Read("workloads: [{namespace: shop, workloadIps: [], services: {}, waypoint: null, locality: ~}]").Workloads.Single();

        Assert.Equal("spiffe:///ns/shop/sa/", workload.Identity.Text);
        Assert.Equal((TunnelProtocol.None, NetworkMode.Standard, HealthStatus.Healthy, 1u), (workload.Protocol, workload.NetworkMode, workload.Status, workload.Capacity));
        Assert.Equal(("", "", Locality.None, null), (workload.ClusterId, workload.Network, workload.Locality, workload.Waypoint));
    }

    [Fact]
    public void Read_InstancesOfOneApplication_ShareWhatTheyHaveInCommon()
    {
        LocalMesh mesh = Read(
            """
            workloads:
            - {name: cart-0, namespace: shop, workloadName: cart, workloadIps: [10.0.0.1], services: {shop/cart.example: {80: 8080}}}
            - {name: cart-1, namespace: shop, workloadName: cart, workloadIps: [10.0.0.2], services: {shop/cart.example: {80: 8080}}}
            - {name: cart-2, namespace: shop, workloadName: cart, workloadIps: [10.0.0.3], services: {shop/cart.example: {80: 8081}}}
            """);

        Assert.Equal(["cart-0", "cart-1", "cart-2"], mesh.Workloads.Select(static workload => workload.Name));
        Assert.Same(mesh.Workloads[0].Traits, mesh.Workloads[1].Traits);
        Assert.NotEqual(mesh.Workloads[0].Traits, mesh.Workloads[2].Traits);
    }

    [Fact]
    public void Read_EveryFieldOfAService_IsTaken()
    {
        Service service = Read(
            """
            {"services": [{
              "name": "cart", "namespace": "shop", "hostname": "cart.example", "vips": ["/10.1.0.1", "net/fd00::5"], "ports": {"80": 8080, "81": 0},
              "cidrVips": [{"network": "net", "cidr": "10.2.0.0/16"}, {"cidr": "::ffff:10.3.0.0/112"}],
              "endpoints": {"c//Pod/shop/x": {"workloadUid": "c//Pod/shop/x", "port": {"80": 9090}, "status": "Unhealthy"}},
              "subjectAltNames": ["spiffe://td/ns/a/sa/b"],
              "waypoint": {"destination": "shop/wp.example", "hboneMtlsPort": 15008},
              "weightedWaypoints": [{"destination": {"destination": "/10.0.0.8", "hboneMtlsPort": 15008}, "weight": 75}],
              "loadBalancer": {"routingPreferences": ["Network", "Region", "Zone", "Subzone", "Node", "Cluster"], "mode": "Failover", "healthPolicy": "AllowAll"},
              "ipFamilies": "IPv4", "canonical": true, "visibility": "Namespace"}]}
            """).Services.Single();

        Assert.Equal(("cart", "shop/cart.example"), (service.Name, service.Key.ToString()));
        Assert.Equal(["/10.1.0.1", "net/fd00::5"], service.Vips.Select(static v => v.ToString()));
        Assert.Equal(Ports((80, 8080), (81, 0)), service.Ports);
        Assert.Equal([("net", "10.2.0.0/16"), ("", "10.3.0.0/16")], service.CidrVips.Select(static c => (c.Network, c.Cidr.ToString())));
        Assert.Equal([new Endpoint("c//Pod/shop/x", Ports((80, 9090)), HealthStatus.Unhealthy)], service.Endpoints);
        Assert.Equal(["spiffe://td/ns/a/sa/b"], service.SubjectAltNames);
        Assert.Equal("shop/wp.example", service.Waypoint!.Destination);
        Assert.Equal([("/10.0.0.8", 75u)], service.WeightedWaypoints.Select(static w => (w.Destination.Destination, w.Weight)));
        Assert.Equal(
            new LoadBalancer(
                [LocalityScope.Network, LocalityScope.Region, LocalityScope.Zone, LocalityScope.Subzone, LocalityScope.Node, LocalityScope.Cluster],
                LoadBalancerMode.Failover, HealthPolicy.AllowAll),
            service.LoadBalancer);
        Assert.Equal((IpFamilies.IPv4, true, ServiceVisibility.Namespace), (service.IpFamilies, service.Canonical, service.Visibility));
    }

    [Fact]
    public void Read_Policy_TakesTagsAndMapsAlike()
    {
        Policy policy = Read(
            """
            policies:
            - name: p
              namespace: shop
              scope: WorkloadSelector
              action: Deny
              dryRun: true
              rules:
              - - - principals: [!Exact "td/ns/a/sa/b", {Prefix: td/}, !Suffix c, !Presence []]
                    notPrincipals: [{Presence: []}]
                    namespaces: [!Exact 5]
                    notNamespaces: [{Suffix: x}]
                    serviceAccounts: [{namespace: a, serviceAccount: b}]
                    notServiceAccounts: [{namespace: c, serviceAccount: d}]
                    sourceIps: [10.0.0.0/8]
                    notSourceIps: [10.1.0.0/16]
                    destinationIps: ["fd00::/8"]
                    notDestinationIps: ["::/0"]
                    destinationPorts: [80, 443]
                    notDestinationPorts: [8080]
                - []
              - []
            """).Policies.Single();

        Assert.Equal(("shop/p", PolicyScope.WorkloadSelector, PolicyAction.Deny, true), (policy.Key, policy.Scope, policy.Action, policy.DryRun));
        Assert.Equal([2, 0], policy.Rules.Select(static rule => rule.Clauses.Count));
        PolicyMatch match = policy.Rules[0].Clauses[0].Matches[0];
        Assert.Equal([StringMatch.Exact("td/ns/a/sa/b"), StringMatch.Prefix("td/"), StringMatch.Suffix("c"), StringMatch.Presence], match.Principals);
        Assert.Equal([StringMatch.Presence], match.NotPrincipals);
        Assert.Equal([StringMatch.Exact("5")], match.Namespaces);
        Assert.Equal([StringMatch.Suffix("x")], match.NotNamespaces);
        Assert.Equal([new ServiceAccountMatch("a", "b")], match.ServiceAccounts);
        Assert.Equal([new ServiceAccountMatch("c", "d")], match.NotServiceAccounts);
        Assert.Equal(
            ["10.0.0.0/8", "10.1.0.0/16", "fd00::/8", "::/0"],
            new[] { match.SourceIps, match.NotSourceIps, match.DestinationIps, match.NotDestinationIps }.Select(static list => list.Single().ToString()));
        Assert.Equal([80, 443], match.DestinationPorts.Select(static p => (int)p));
        Assert.Equal([8080], match.NotDestinationPorts.Select(static p => (int)p));
        Assert.Equal(MatchKinds.None, match.Unreadable);
    }

    [Fact]
    public void Read_AnchorsAndAliases_AreFollowed()
    {
        LocalMesh mesh = Read(
            """
            workloads:
            - {uid: a, namespace: shop, workloadIps: [10.0.0.1], services: &s {shop/cart: {80: 80}}}
            - {uid: b, namespace: shop, workloadIps: [10.0.0.2], services: *s}
            """);

        Assert.Equal(mesh.Workloads[0].Services, mesh.Workloads[1].Services);
    }

    [Theory]
    // The file as a whole
    [InlineData("", "the file is empty; an empty mesh is written {}")]
    [InlineData("# only a comment\n", "the file is empty; an empty mesh is written {}")]
    [InlineData("hello", "line 1, column 1: expected a map with workloads, services and policies, got 'hello'")]
    [InlineData("[]", "line 1, column 1: expected a map with workloads, services and policies, got a list")]
    [InlineData("workloads: []\nworkload: []", "line 2, column 1: workload: an unknown key; known are workloads, services, policies")]
    [InlineData("workloads: []\nworkloads: []", "line 2, column 1: workloads: the key is here a second time")]
    [InlineData("workloads:", "line 1, column 11: workloads: expected a list, got nothing")]
    [InlineData("workloads: {}", "line 1, column 12: workloads: expected a list, got a map")]
    [InlineData("{}\n---\n{}", "line 2, column 1: a second document begins here; the file holds one")]
    [InlineData("workloads: [}", "line 1, column 13: not YAML: ")]
    [InlineData("workloads: [*none]", "line 1, column 13: not YAML: ")]
    // One workload
    [InlineData("workloads: [x]", "workloads[0]: expected a map, got 'x'")]
    [InlineData("workloads: [{}]", "workloads[0]: the key 'namespace' is missing|the key 'workloadIps' is missing|the key 'services' is missing")]
    [InlineData("workloads: [{namespace: '', workloadIps: [], services: {}}]", "workloads[0].namespace: must not be empty")]
    [InlineData("workloads: [{namespace: [], workloadIps: [], services: {}}]", "workloads[0].namespace: expected text, got a list")]
    [InlineData("workloads: [{namespace: , workloadIps: [], services: {}}]", "workloads[0].namespace: expected text, got nothing")]
    [InlineData("workloads: [{namespace: a, namespace: b, workloadIps: [], services: {}}]", "line 1, column 28: workloads[0].namespace: the key is here a second time")]
    [InlineData("workloads: [{namespace: a, '': b, workloadIps: [], services: {}}]", "workloads[0]: an empty key")]
    [InlineData("workloads: [{namespace: a, [x]: b, workloadIps: [], services: {}}]", "workloads[0]: a key must be text, got a list")]
    [InlineData("workloads: [{namespace: a, ips: b, workloadIps: [], services: {}}]", "workloads[0].ips: an unknown key; known are ")]
    [InlineData("workloads: [{namespace: a, workloadIps: 10.0.0.1, services: {}}]", "workloads[0].workloadIps: expected a list, got '10.0.0.1'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [10.0.0.256], services: {}}]", "workloads[0].workloadIps[0]: expected an IP address, got '10.0.0.256'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [10.0.1], services: {}}]", "expected an IP address, got '10.0.1'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [010.0.0.1], services: {}}]", "expected an IP address, got '010.0.0.1'")]
    [InlineData("workloads: [{namespace: a, workloadIps: ['[::1]:80'], services: {}}]", "expected an IP address, got '[::1]:80'")]
    [InlineData("workloads: [{namespace: a, workloadIps: ['fe80::1%eth0'], services: {}}]", "expected an IP address, got 'fe80::1%eth0'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, protocol: hbone}]", "workloads[0].protocol: expected TCP, HBONE, got 'hbone'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, status: !Healthy x}]", "workloads[0].status: expected Healthy, Unhealthy, got 'x'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, nativeTunnel: 'true'}]", "workloads[0].nativeTunnel: expected true or false, got 'true'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, nativeTunnel: yes}]", "expected true or false, got 'yes'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, capacity: -1}]", "workloads[0].capacity: expected a number from 0 to 4294967295, got '-1'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, capacity: 4294967296}]", "expected a number from 0 to 4294967295")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, locality: {region: r}}]", "workloads[0].locality: the key 'zone' is missing|the key 'subzone' is missing")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, authorizationPolicies: [x]}]", "workloads[0].authorizationPolicies[0]: expected namespace/name, got 'x'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {cart: {80: 80}}}]", "workloads[0].services: expected namespace/name, got 'cart'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {a/cart: {80: 65536}}}]", "workloads[0].services[\"a/cart\"].80: expected a number from 0 to 65535, got '65536'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {a/cart: {65536: 80}}}]", "expected a port from 1 to 65535, got '65536'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {a/cart: [80]}}]", "workloads[0].services[\"a/cart\"]: expected a map, got a list")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, waypoint: {destination: 10.0.0.1}}]", "workloads[0].waypoint.destination: expected network/ip or namespace/hostname, got '10.0.0.1'")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, waypoint: {destination: /10.0.0.300}}]", "workloads[0].waypoint.destination: expected network/ip")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, waypoint: {destination: n/10.0.0.300}}]", "workloads[0].waypoint.destination: expected network/ip")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, waypoint: {destination: a/b, hboneMtlsPort: 0}}]", "workloads[0].waypoint.hboneMtlsPort: expected a number from 1 to 65535")]
    [InlineData("workloads: [{namespace: a, workloadIps: [], services: {}, applicationTunnel: {port: 1}}]", "workloads[0].applicationTunnel: the key 'protocol' is missing")]
    [InlineData("workloads: [{uid: u, namespace: a, workloadIps: [], services: {}},\n {uid: u, namespace: a, workloadIps: [], services: {}}]", "line 2, column 2: workloads[1]: 'u' is in the file already, at line 1")]
    // One service
    [InlineData("services: [{}]", "services[0]: the key 'name' is missing|the key 'namespace' is missing|the key 'hostname' is missing|the key 'vips' is missing|the key 'ports' is missing")]
    [InlineData("services: [{name: a, namespace: b, hostname: c, vips: [10.0.0.1], ports: {}}]", "services[0].vips[0]: expected network/ip, or /ip for the default network, got '10.0.0.1'")]
    [InlineData("services: [{name: a, namespace: b, hostname: c, vips: [], ports: {}, cidrVips: [{cidr: 10.0.0.0/33}]}]", "services[0].cidrVips[0].cidr: expected an address prefix such as 10.0.0.0/8, got '10.0.0.0/33'")]
    [InlineData("services: [{name: a, namespace: b, hostname: c, vips: [], ports: {}, loadBalancer: {mode: Fast}}]", "services[0].loadBalancer: the key 'routingPreferences' is missing|services[0].loadBalancer.mode: expected Standard, Strict, Failover, Passthrough, got 'Fast'|the key 'healthPolicy' is missing")]
    [InlineData("services: [{name: a, namespace: b, hostname: c, vips: [], ports: {}, weightedWaypoints: [{weight: 1}]}]", "services[0].weightedWaypoints[0]: the key 'destination' is missing")]
    [InlineData("services: [{name: a, namespace: b, hostname: c, vips: [], ports: {}, endpoints: {u: {workloadUid: v}}}]", "services[0].endpoints.u.workloadUid: expected the same as the key, u")]
    // One policy
    [InlineData("policies: [{}]", "the key 'name' is missing|the key 'namespace' is missing|the key 'scope' is missing|the key 'action' is missing|the key 'rules' is missing|the key 'dryRun' is missing")]
    [InlineData("policies: [{name: a, namespace: b, scope: Mesh, action: Audit, dryRun: false, rules: []}]", "policies[0].scope: expected Global, Namespace, WorkloadSelector, got 'Mesh'|policies[0].action: expected Allow, Deny, got 'Audit'")]
    [InlineData("policies: [{name: a, namespace: b, scope: Global, action: Deny, dryRun: false, rules: [[{}]]}]", "policies[0].rules[0][0]: expected a list, got a map")]
    [InlineData("policies: [{name: a, namespace: b, scope: Global, action: Deny, dryRun: false, rules: [[[{sourceIps: [10.0.0.1]}]]]}]", "policies[0].rules[0][0][0].sourceIps[0]: expected an address prefix such as 10.0.0.0/8, got '10.0.0.1'")]
    [InlineData("policies: [{name: a, namespace: b, scope: Global, action: Deny, dryRun: false, rules: [[[{destinationPorts: [http, 65536]}]]]}]", "destinationPorts[0]: expected a number from 1 to 65535, got 'http'|destinationPorts[1]: expected")]
    [InlineData("policies: [{name: a, namespace: b, scope: Global, action: Deny, dryRun: false, rules: [[[{principals: [x]}]]]}]", "principals[0]: expected a string match: ")]
    [InlineData("policies: [{name: a, namespace: b, scope: Global, action: Deny, dryRun: false, rules: [[[{principals: [!Regex x]}]]]}]", "got 'x' with the tag !Regex")]
    [InlineData("policies: [{name: a, namespace: b, scope: Global, action: Deny, dryRun: false, rules: [[[{principals: [{Exact: a, Prefix: b}]}]]]}]", "expected a string match: ")]
    [InlineData("policies: [{name: a, namespace: b, scope: Global, action: Deny, dryRun: false, rules: [[[{principals: [!Presence x]}]]]}]", "expected a string match: ")]
    public void Read_Mistake_IsReportedWithPlaceAndExpectation(string text, string expected)
    {
        LocalFileException error = Assert.Throws<LocalFileException>(() => Read(text));

        Assert.All(expected.Split('|'), part => Assert.Contains(part, error.Message));
        Assert.Equal(expected.Split('|').Length, error.Problems.Count);
        Assert.StartsWith("mesh.yaml: ", error.Message);
    }

    [Fact]
    public void Read_MistakesEverywhere_AreReportedTogether()
    {
        LocalFileException error = Assert.Throws<LocalFileException>(() => Read(
            """
            workloads:
            - namespace: a
              workloadIps: [nowhere]
              services: {}
            services:
            - name: cart
              namespace: shop
              hostname: cart
              vips: []
              ports: {80: many}
            policies:
            - name: p
              namespace: shop
              scope: Global
              action: Block
              dryRun: no
              rules: []
            """));

        Assert.Equal(
            [(3, 17, "workloads[0].workloadIps[0]"), (10, 15, "services[0].ports.80"), (15, 11, "policies[0].action"), (16, 11, "policies[0].dryRun")],
            error.Problems.Select(static p => (p.Line, p.Column, p.Field)));
    }

    [Fact]
    public void Read_MoreMistakesThanAnyoneReads_AreCounted()
    {
        string text = "workloads:\n" + string.Concat(Enumerable.Repeat("- x\n", 120));

        LocalFileException error = Assert.Throws<LocalFileException>(() => Read(text));

        Assert.Equal(51, error.Problems.Count);
        Assert.Equal("and 70 more problems", error.Problems[^1].ToString());
    }

    [Fact]
    public void Read_TextThatEndsTheLibrary_IsRefusedLikeAnyOther()
    {
        // Found by the fuzz target: the scanner throws InvalidOperationException, which ended the watch of the file.
        string text = $"workloads:\n- {{uid: a, services: {new string('=', 5000)}\nservices:\n- {{name: b}}\n";

        LocalFileException refused = Assert.Throws<LocalFileException>(() => LocalFileReader.Read(new StringReader(text), "mesh.yaml"));

        Assert.Contains("what follows cannot be read", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_NestedWithoutEnd_IsRefused()
    {
        string text = "policies: [{rules: " + new string('[', 20_000) + new string(']', 20_000) + "}]";

        LocalFileException error = Assert.Throws<LocalFileException>(() => Read(text));

        Assert.Contains("nested more than 64 levels deep", error.Message);
    }

    private static PortMap Ports(params (ushort, ushort)[] ports) => PortMap.Create(ports);

    private static LocalMesh Read(string text)
    {
        using StringReader reader = new(text);
        return LocalFileReader.Read(reader, "mesh.yaml");
    }
}
