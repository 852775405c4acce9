using System.IO.Pipelines;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.Http.Dump;
using Ztunnel.InPod.Pods;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;
using Ztunnel.Testing;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Tests.Http;

/// <summary>A dump in which every member of every object occurs, against a golden file and against decoders as strict as istioctl's.</summary>
public sealed class IstioctlDumpTests
{
    private static readonly SpiffeId Shop = new("cluster.local", "shop", "cart");
    private static readonly SpiffeId Lost = new("cluster.local", "shop", "lost");

    private static string Golden => Path.Combine(AppContext.BaseDirectory, "Fixtures", "config_dump.golden.json");

    [Fact]
    public async Task Dump_WithEverything_IsTheGoldenFile()
    {
        JsonNode dump = JsonNode.Parse(await WriteEverythingAsync())!;
        // Keys and times of certificates are new each time.
        foreach (JsonNode? certificate in dump["certificates"]!.AsArray().SelectMany(static set => set!["certChain"]!.AsArray().Concat(set["rootCerts"]!.AsArray())))
        {
            foreach (string member in certificate!.AsObject().Select(static pair => pair.Key).ToArray())
                certificate[member] = member;
        }

        dump["version"]!.AsObject().Clear();
        string actual = dump.ToJsonString(new JsonSerializerOptions { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n";
        if (Environment.GetEnvironmentVariable("ZTUNNEL_WRITE_PAGES") == "1")
            await File.WriteAllTextAsync(Path.Combine(Pages.GeneratedPage.Root, "tests", "Ztunnel.Tests", "Fixtures", "config_dump.golden.json"), actual);

        Assert.Equal(await File.ReadAllTextAsync(Golden), actual);
    }

    [Fact]
    public async Task Dump_WithEverything_IsReadByStrictDecoders()
    {
        using var dump = JsonDocument.Parse(await WriteEverythingAsync());

        IstioctlDecoder.Read(dump.RootElement);
    }

    [Fact]
    public void RecordedDump_IsReadByTheSameDecoders()
    {
        // The recording shortened PEM texts by hand.
        string recorded = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "config_dump-a.json"));
        JsonNode dump = JsonNode.Parse(recorded)!;
        foreach (JsonNode? certificate in dump["certificates"]!.AsArray().SelectMany(static set => set!["certChain"]!.AsArray().Concat(set["rootCerts"]!.AsArray())))
            certificate!["pem"] = Convert.ToBase64String(Encoding.ASCII.GetBytes("-----BEGIN CERTIFICATE-----\n"));
        using var document = JsonDocument.Parse(dump.ToJsonString());

        IstioctlDecoder.Read(document.RootElement);
    }

    [Theory]
    [InlineData("workloads", """{"capacity": "1"}""", "/workloads[0]/capacity")]
    [InlineData("workloads", """{"applicationTunnel": {"port": 70000}}""", "/workloads[0]/applicationTunnel/port")]
    [InlineData("services", """{"endpoints": {"u": {"port": {"http": 1}}}}""", "/services[0]/endpoints/u/port/http")]
    [InlineData("policies", """{"rules": [[{}]]}""", "/policies[0]/rules[0][0]")]
    [InlineData("policies", """{"rules": [[[{"namespaces": ["a"]}]]]}""", "/policies[0]/rules[0][0][0]/namespaces[0]")]
    public void Decoder_WrongType_NamesThePlace(string section, string item, string place)
    {
        using var document = JsonDocument.Parse($"{{\"{section}\": [{item}]}}");

        Assert.StartsWith(place + ":", Assert.Throws<InvalidDataException>(() => IstioctlDecoder.Read(document.RootElement)).Message, StringComparison.Ordinal);
    }

    private static async Task<byte[]> WriteEverythingAsync()
    {
        var mesh = new MeshStore("node-a");
        mesh.Replace(Everything());
        await using var certificates = new CertificateStore(new OneAuthority(), new CertificateStoreSettings(), TimeProvider.System);
        await certificates.GetAsync(Shop, CertificatePriority.RealTime, CancellationToken.None);
        await Assert.ThrowsAnyAsync<Exception>(async () => await certificates.GetAsync(Lost, CertificatePriority.RealTime, CancellationToken.None));
        var dump = new ConfigDump(
        [
            .. MeshSections.Create(mesh, certificates, static () => new LocalMesh([.. Everything().Workloads], [], []), BuildInfo.Create("1.2.3")),
            new ValueSection("workloadState", static json =>
            {
                json.WriteStartObject();
                PodSection.Write(json, new PodStatus(new PodIdentity("2f0c", "cart-0", "shop", "cart"), PodState.Up, Failure: null), Connections());
                PodSection.Write(json, new PodStatus(new PodIdentity("77aa", "late-0", "shop", "late"), PodState.Pending, "port 15001: Address already in use"), connections: null);
                json.WriteEndObject();
            }),
        ]);
        var output = new MemoryStream();
        PipeWriter writer = PipeWriter.Create(output);
        await dump.WriteAsync(writer, CancellationToken.None);
        await writer.CompleteAsync();
        return output.ToArray();
    }

    private static ConnectionEntry[] Connections() =>
    [
        new(IsInbound: true, new IPEndPoint(IPAddress.Parse("10.0.0.9"), 40000), "cart.shop.svc.cluster.local", new IPEndPoint(IPAddress.Parse("10.0.0.1"), 8080), "HBONE"),
        new(IsInbound: true, new IPEndPoint(IPAddress.Parse("fd00::9"), 40001), null, new IPEndPoint(IPAddress.Parse("fd00::1"), 8080), "TCP"),
        new(IsInbound: false, new IPEndPoint(IPAddress.Parse("10.0.0.1"), 40002), "10.1.0.1:80", new IPEndPoint(IPAddress.Parse("10.0.0.2"), 15008), "HBONE"),
    ];

    private static MeshUpdate Everything()
    {
        PortMap ports = PortMap.Create(((ushort)80, (ushort)8080), ((ushort)443, (ushort)8443));
        var hostname = new NamespacedName("shop", "cart.shop.svc.cluster.local");
        var update = new MeshUpdate();
        update.Workloads.Add(new Workload
        {
            Uid = "c//Pod/shop/cart-0",
            Name = "cart-0",
            Addresses = IpAddresses.Create(IPAddress.Parse("10.0.0.1"), IPAddress.Parse("fd00::1")),
            Node = "node-a",
            Locality = new Locality("r1", "z1", "s1"),
            Traits = new WorkloadTraits
            {
                Identity = Shop,
                Network = "net1",
                ClusterId = "Kubernetes",
                CanonicalName = "cart",
                CanonicalRevision = "v1",
                WorkloadType = "deployment",
                WorkloadName = "cart",
                Protocol = TunnelProtocol.Hbone,
                Capacity = 3,
                Waypoint = new GatewayAddress(new NetworkAddress("net1", IPAddress.Parse("10.1.0.9"))),
                ApplicationTunnel = new ApplicationTunnel(ApplicationProtocol.Proxy, 9999),
                AuthorizationPolicies = ["shop/only-front"],
                Services = [new ServiceMembership(hostname, ports)],
            },
        });
        update.Workloads.Add(new Workload
        {
            Uid = "c2/networking.istio.io/WorkloadEntry/shop/far",
            Name = "far",
            Status = HealthStatus.Unhealthy,
            Traits = new WorkloadTraits
            {
                Identity = Lost,
                Network = "net2",
                Hostname = "far.example.com",
                NetworkMode = NetworkMode.HostNetwork,
                NativeTunnel = true,
                NetworkGateway = new GatewayAddress(new NamespacedName("istio-gateways", "east-west.example.com"), 15443),
                ApplicationTunnel = new ApplicationTunnel(ApplicationProtocol.None, 0),
            },
        });
        update.Services.Add(new Service
        {
            Name = "cart",
            Namespace = "shop",
            Hostname = hostname.Name,
            Vips = [new NetworkAddress("", IPAddress.Parse("10.1.0.1")), new NetworkAddress("net1", IPAddress.Parse("fd01::1"))],
            CidrVips = [new NetworkCidr("net1", Cidr.Create(IPAddress.Parse("10.2.0.0"), 16)!)],
            Ports = ports,
            SubjectAltNames = ["spiffe://cluster.local/ns/shop/sa/cart"],
            Waypoint = new GatewayAddress(new NamespacedName("shop", "waypoint.shop.svc.cluster.local")),
            WeightedWaypoints = [new WeightedWaypoint(new GatewayAddress(new NetworkAddress("", IPAddress.Parse("10.1.0.9"))), 75)],
            LoadBalancer = new LoadBalancer([LocalityScope.Network, LocalityScope.Region, LocalityScope.Zone], LoadBalancerMode.Failover, HealthPolicy.AllowAll),
            IpFamilies = IpFamilies.Dual,
            Canonical = true,
            Visibility = ServiceVisibility.Namespace,
        });
        update.Services.Add(new Service { Name = "bare", Namespace = "shop", Hostname = "bare.shop.svc.cluster.local" });
        update.Policies.Add(new Policy
        {
            Name = "only-front",
            Namespace = "shop",
            Scope = PolicyScope.WorkloadSelector,
            Action = PolicyAction.Deny,
            DryRun = true,
            Rules = [new PolicyRule([new PolicyClause([EveryMatch(), new PolicyMatch()]), new PolicyClause([])])],
        });
        return update;
    }

    private static PolicyMatch EveryMatch()
    {
        StringMatch[] texts = [StringMatch.Exact("a"), StringMatch.Prefix("b"), StringMatch.Suffix("c"), StringMatch.Presence];
        Cidr[] ranges = [Cidr.Create(IPAddress.Parse("10.0.0.0"), 8)!, Cidr.Create(IPAddress.Parse("fd00::"), 64)!];
        return new PolicyMatch
        {
            Namespaces = [.. texts],
            NotNamespaces = [.. texts],
            Principals = [.. texts],
            NotPrincipals = [.. texts],
            ServiceAccounts = [new ServiceAccountMatch("shop", "cart")],
            NotServiceAccounts = [new ServiceAccountMatch("", "cart")],
            SourceIps = [.. ranges],
            NotSourceIps = [.. ranges],
            DestinationIps = [.. ranges],
            NotDestinationIps = [.. ranges],
            DestinationPorts = [80, 65535],
            NotDestinationPorts = [1],
        };
    }

    /// <summary>Has a certificate for one identity only.</summary>
    private sealed class OneAuthority : ICertificateAuthority
    {
        private readonly TestAuthority _authority = TestAuthority.Create();

        public Task<WorkloadCertificate> SignAsync(SpiffeId identity, CancellationToken cancellation) =>
            identity == Shop ? Task.FromResult(_authority.IssueWorkload(identity)) : Task.FromException<WorkloadCertificate>(new InvalidOperationException("signing gRPC error (Unavailable): no connection"));
    }
}
