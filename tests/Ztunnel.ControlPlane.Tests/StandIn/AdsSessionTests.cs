using Ztunnel.ControlPlane.Tests.Xds;
using Ztunnel.Istiod.Ads;
using Ztunnel.Istiod.Mesh;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.ControlPlane.Tests.StandIn;

/// <summary>The stand-in is held against what a real istiod was recorded to answer: it gets the recorded mesh and the recorded requests.</summary>
public sealed class AdsSessionTests
{
    [Fact]
    public void FirstConnection_OfTheRecording_IsAnsweredWithTheSameNames()
    {
        MeshResources mesh = Recorded(1);
        AdsSession session = new("node-a");

        DeltaDiscoveryResponse address = Assert.Single(session.OnRequest(RecordedExchange.Request("01-initial-wildcard/002-xds-request-address-initial"), mesh));
        DeltaDiscoveryResponse policies = Assert.Single(session.OnRequest(RecordedExchange.Request("01-initial-wildcard/003-xds-request-authorization-initial"), mesh));

        AssertSameNames(RecordedExchange.Response("01-initial-wildcard/004-xds-response-address"), address);
        AssertSameNames(RecordedExchange.Response("01-initial-wildcard/005-xds-response-authorization"), policies);
        Assert.All(address.Resources, static resource => Assert.Empty(resource.Aliases));
        Assert.All(policies.Resources, static resource => Assert.Equal("", resource.Version));
        Assert.Empty(session.OnRequest(RecordedExchange.Request("01-initial-wildcard/006-xds-request-address-ack"), mesh));
    }

    [Fact]
    public void Mesh_Changed_PushesTheDifferenceOnce()
    {
        AdsSession session = Opened(Recorded(1));
        MeshResources next = Recorded(2);

        DeltaDiscoveryResponse push = Assert.Single(session.OnMesh(next));

        AssertSameNames(RecordedExchange.Response("02-pod-add/001-xds-response-address"), push);
        Assert.Empty(session.OnMesh(next));
        Assert.Equal(["Kubernetes//Pod/shop/cart-3"], Assert.Single(session.OnMesh(Recorded(4)), static response => response.RemovedResources.Count > 0).RemovedResources);
    }

    [Fact]
    public void Reconnect_WithVersions_BringsTheDifferenceAndWhatHasGone()
    {
        MeshResources before = Recorded(11);
        DeltaDiscoveryRequest request = new() { TypeUrl = MeshResources.AddressUrl, Node = new Node { Id = "ztunnel~1" } };
        foreach (Resource resource in before.OfType(MeshResources.AddressUrl).Values) request.InitialResourceVersions[resource.Name] = resource.Version;

        DeltaDiscoveryResponse answer = Assert.Single(new AdsSession("node-a").OnRequest(request, Recorded(12)));

        Assert.Equal(["Kubernetes//Pod/legacy/batch-1"], answer.RemovedResources);
        Assert.Contains(answer.Resources, static resource => resource.Name == "Kubernetes//Pod/shop/cart-4");
        Assert.DoesNotContain(answer.Resources, static resource => resource.Name == "Kubernetes//Pod/shop/cart-2");
    }

    [Fact]
    public void OnDemand_AskedAsRecorded_IsAnsweredOnceAndRemembered()
    {
        MeshResources mesh = Recorded(12);
        AdsSession session = new("node-a");
        DeltaDiscoveryResponse first = Assert.Single(session.OnRequest(RecordedExchange.Request("20-on-demand-initial/002-xds-request-address-initial"), mesh));
        Assert.Equal(mesh.WorkloadsOf("node-a").Order(StringComparer.Ordinal), first.Resources.Select(static resource => resource.Name).Order(StringComparer.Ordinal));

        DeltaDiscoveryRequest ask = RecordedExchange.Request("21-on-demand-service-by-vip/001-xds-request-address");
        DeltaDiscoveryResponse service = Assert.Single(session.OnRequest(ask, mesh));
        Assert.Contains(service.Resources, resource => resource.Aliases.Contains(ask.ResourceNamesSubscribe[0]));

        DeltaDiscoveryRequest unknown = RecordedExchange.Request("23-on-demand-unknown-address/001-xds-request-address");
        Assert.Equal(unknown.ResourceNamesSubscribe, Assert.Single(session.OnRequest(unknown, mesh)).RemovedResources);
        Assert.Empty(session.OnRequest(unknown, mesh));
        Assert.Empty(session.OnMesh(mesh));
    }

    private static AdsSession Opened(MeshResources mesh)
    {
        AdsSession session = new("node-a");
        foreach (string type in (string[])[MeshResources.AddressUrl, MeshResources.AuthorizationUrl])
            Assert.Single(session.OnRequest(new DeltaDiscoveryRequest { TypeUrl = type, Node = new Node { Id = "ztunnel~1" } }, mesh));
        return session;
    }

    /// <summary>The mesh as it was after a recorded step.</summary>
    private static MeshResources Recorded(int step)
    {
        RecordedExchange exchange = new(onDemand: false);
        for (int i = 1; i <= step; i++) exchange.Play(RecordedExchange.Step(i));
        return MeshResources.From(exchange.Store.Current);
    }

    private static void AssertSameNames(DeltaDiscoveryResponse expected, DeltaDiscoveryResponse actual)
    {
        Assert.Equal(expected.TypeUrl, actual.TypeUrl);
        Assert.Equal(expected.Resources.Select(static resource => resource.Name).Order(StringComparer.Ordinal), actual.Resources.Select(static resource => resource.Name).Order(StringComparer.Ordinal));
        Assert.Equal(expected.RemovedResources.Order(StringComparer.Ordinal), actual.RemovedResources.Order(StringComparer.Ordinal));
    }
}
