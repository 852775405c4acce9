using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.ControlPlane.Tests.Support;
using Ztunnel.ControlPlane.Xds;
using Ztunnel.Istiod.Mesh;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.ControlPlane.Tests.StandIn;

/// <summary>A local file served over ADS gives the same mesh as the file loaded directly: writer and translator judge each other.</summary>
public sealed class MeshResourcesTests
{
    [Theory]
    [InlineData("dedicated-mesh.yaml")]
    [InlineData("dedicated-mesh-allow.yaml")]
    [InlineData("dedicated-mesh-strict.yaml")]
    [InlineData("dedicated-mesh-tunnel.yaml")]
    [InlineData("dns-mesh.yaml")]
    [InlineData("inpod-mesh.yaml")]
    public void LocalFile_OverTheWire_IsTheSameMesh(string name)
    {
        MeshStore direct = Load(name);
        MeshResources resources = MeshResources.From(direct.Current);
        MeshStore served = new();
        DeltaProtocol protocol = new(new XdsNodeSettings(), onDemand: false, served);
        protocol.OpenStream();

        Assert.Empty(protocol.OnResponse(Full(resources, MeshResources.AddressUrl)).Rejects);
        Assert.Empty(protocol.OnResponse(Full(resources, MeshResources.AuthorizationUrl)).Rejects);

        Assert.Equal(direct.Current.Workloads.Select(Essence).OrderBy(static w => w.Uid, StringComparer.Ordinal), served.Current.Workloads.Select(Essence).OrderBy(static w => w.Uid, StringComparer.Ordinal));
        Assert.Equal(direct.Current.AllPolicies.OrderBy(static p => p.Key, StringComparer.Ordinal), served.Current.AllPolicies.OrderBy(static p => p.Key, StringComparer.Ordinal));
        Assert.Equal(direct.Current.Services.OrderBy(static s => s.Key.ToString(), StringComparer.Ordinal), served.Current.Services.OrderBy(static s => s.Key.ToString(), StringComparer.Ordinal));
        foreach (Service service in direct.Current.Services)
            Assert.Equal(Endpoints(direct, service), Endpoints(served, service));
    }

    [Fact]
    public void Names_OfAddresses_LeadToWhatHasThem()
    {
        MeshResources resources = MeshResources.From(Load("dedicated-mesh.yaml").Current);
        Resource service = resources.OfType(MeshResources.AddressUrl).Values.First(static resource => resource.Name.Contains('/') && !resource.Name.Contains("//") && resource.Aliases.Count > 0);

        Assert.Equal(service.Name, resources.Resolve(service.Aliases[0]).First());
        Assert.Empty(resources.Resolve("/192.0.2.1"));
    }

    private static MeshStore Load(string name)
    {
        using StringReader text = new(Fixture.Text($"local/{name}"));
        LocalMesh file = LocalFileReader.Read(text, name);
        MeshStore store = new();
        store.Replace(new MeshUpdate { Workloads = [.. file.Workloads], Services = [.. file.Services], Policies = [.. file.Policies] });
        return store;
    }

    private static DeltaDiscoveryResponse Full(MeshResources resources, string type) => new() { TypeUrl = type, Nonce = "n", Resources = { resources.OfType(type).Values } };

    // What the local file leaves empty has a default on the wire; memberships are compared as endpoints.
    private static Workload Essence(Workload workload) => workload with
    {
        Traits = workload.Traits with
        {
            Services = ValueArray.Create<ServiceMembership>([]),
            Identity = new(Default(workload.TrustDomain, "cluster.local"), workload.Namespace, Default(workload.ServiceAccount, "default")),
            ClusterId = Default(workload.ClusterId, "Kubernetes"),
            WorkloadType = Default(workload.WorkloadType, "deployment"),
        },
    };

    private static string Default(string value, string absent) => value.Length == 0 ? absent : value;

    private static IEnumerable<(string Uid, PortMap Ports, HealthStatus Status)> Endpoints(MeshStore store, Service service) =>
        (store.Current.FindEndpoints(service.Key)?.All ?? []).Select(static endpoint => (endpoint.Workload.Uid, endpoint.Ports, endpoint.Status)).OrderBy(static endpoint => endpoint.Uid, StringComparer.Ordinal);
}
