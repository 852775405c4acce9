using System.Net;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Explaining;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.Explaining;

/// <summary>Answers about connections that do not exist agree with what would happen to them, and say why.</summary>
public sealed class ConnectionExplainerTests
{
    private static readonly Workload Client = Pod("client", "10.0.1.5");
    private static readonly Service Echo = Service("echo", "10.96.0.10");
    private static readonly Workload Server = Pod("server", "10.0.2.7", services: Of(Echo));

    [Fact]
    public void Explain_ServiceInTheMesh_NamesEveryDecisionHopAndEnforcer()
    {
        ConnectionExplanation explained = Explain(Store(Client, Server, Echo), "10.96.0.10:80");

        Assert.Equal(RouteKind.Hbone, explained.Kind);
        Assert.Equal("echo", explained.Service?.Name);
        Assert.Equal(
            [
                new RouteStep("what is 10.96.0.10", "service default/echo.default.svc.cluster.local"),
                new RouteStep("has the service a waypoint", "no"),
                new RouteStep("which endpoints serve default/echo.default.svc.cluster.local on port 80", "1 of 1, the closest 1 first"),
                new RouteStep("how is cluster//Pod/default/server reached", "directly, in an HBONE tunnel"),
            ],
            explained.Steps);
        NextHop hop = Assert.Single(explained.Hops);
        Assert.Equal(("10.0.2.7:15008", "10.0.2.7:8080"), (hop.Address!.ToString(), hop.Authority));
        EndpointExplanation endpoint = Assert.Single(explained.Endpoints);
        Assert.Equal((0, (ushort)8080, null), (endpoint.Rank, endpoint.TargetPort!.Value, endpoint.Obstacle));
        Assert.Equal("the proxy of cluster//Pod/default/server", explained.Enforcement);
        Assert.True(explained.Authorization!.Decision.Allowed);
    }

    [Fact]
    public void Explain_DeniedByAllowPolicies_ShowsTheNearestRuleAndWhatItMisses()
    {
        Policy onlyFront = new()
        {
            Name = "only-front",
            Namespace = "default",
            Scope = PolicyScope.Namespace,
            Rules =
            [
                Rule(new PolicyMatch { Principals = [StringMatch.Exact("cluster.local/ns/default/sa/front")] }, new PolicyMatch { DestinationPorts = [9090] }),
                Rule(new PolicyMatch { Principals = [StringMatch.Exact("cluster.local/ns/default/sa/front")] }, new PolicyMatch { DestinationPorts = [8080] }),
            ],
        };

        ConnectionExplanation explained = Explain(Store(Client, Server, Echo, onlyFront), "10.96.0.10:80");

        Assert.Equal("allow policies exist, but none allowed", explained.Authorization!.Decision.Reason);
        PolicyExplanation policy = Assert.Single(explained.Authorization.Policies);
        Assert.False(policy.Matches);
        Assert.Equal(2, policy.Nearest!.Number);
        Assert.Equal([new FailedCondition("source.principals", "cluster.local/ns/default/sa/front", "cluster.local/ns/default/sa/client")], policy.Nearest.Missing);
    }

    [Fact]
    public void Explain_UnusableEndpoints_SaysOfEachWhy()
    {
        Workload sick = Pod("sick", "10.0.2.8", services: Of(Echo)) with { Status = HealthStatus.Unhealthy };
        Workload empty = Pod("empty", "10.0.2.9", services: Of(Echo)).With(static traits => traits with { Capacity = 0 });

        ConnectionExplanation explained = Explain(Store(Client, sick, empty, Echo), "10.96.0.10:80");

        Assert.Equal((RouteKind.Refuse, "no healthy upstream: 10.96.0.10:80"), (explained.Kind, explained.Error));
        Assert.Equal("none of 2 can be used", explained.Steps[^1].Answer);
        Assert.Equal(["it is not healthy", "its capacity is 0"], explained.Endpoints.Select(static endpoint => endpoint.Obstacle!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Explain_PortTheServiceDoesNotHave_SaysSo()
    {
        ConnectionExplanation explained = Explain(Store(Client, Server, Echo), "10.96.0.10:81");

        Assert.Equal(RouteKind.Refuse, explained.Kind);
        Assert.Equal("none: the service has no such port", explained.Steps[^1].Answer);
        Assert.Equal("the service has no port 81", Assert.Single(explained.Endpoints).Obstacle);
    }

    [Fact]
    public void Explain_Waypoint_LeavesThePoliciesToIt()
    {
        Service throughWaypoint = Echo with { Waypoint = Gateway("10.0.3.9") };

        ConnectionExplanation explained = Explain(Store(Client, Server, throughWaypoint, Pod("waypoint", "10.0.3.9")), "10.96.0.10:80");

        Assert.Contains(new RouteStep("has the service a waypoint", $"yes, {Gateway("10.0.3.9")}: it takes the call"), explained.Steps);
        Assert.Equal("the waypoint cluster//Pod/default/waypoint", explained.Enforcement);
        Assert.Null(explained.Authorization);
    }

    [Fact]
    public void Explain_StrictDestinationOutsideTheTunnel_IsNotJudged()
    {
        ConnectionExplanation explained = Explain(Store(Client), "192.0.2.1:443");

        Assert.Equal(RouteKind.Tcp, explained.Kind);
        Assert.Equal("nobody: the destination is not in the mesh", explained.Enforcement);
        Assert.Equal("192.0.2.1:443", Assert.Single(explained.Hops).Address!.ToString());
    }

    [Fact]
    public void Explain_OwnPort_IsARecursiveCall() => Assert.Equal(RefuseReason.RecursiveCall, Explain(Store(Client), "127.0.0.1:15001").Reason);

    [Theory]
    [InlineData("default/client", "10.96.0.10:80", "10.0.1.5", "10.96.0.10:80")]
    [InlineData("10.0.1.5", "echo.default.svc.cluster.local:80", "10.0.1.5", "10.96.0.10:80")]
    [InlineData("cluster//Pod/default/client", "default/server:8080", "10.0.1.5", "10.0.2.7:8080")]
    [InlineData("", "[fd00::1]:80", "10.0.1.5", "[fd00::1]:80")]
    [InlineData(null, "::ffff:10.0.2.7:80", "10.0.1.5", "10.0.2.7:80")]
    public void Read_NamesPeopleUse_AreFound(string? source, string destination, string sourceAddress, string endPoint)
    {
        MeshStore store = Store(Client, Server with { Node = "node-2" }, Echo);

        Assert.True(QuestionReader.TryRead(store.Current, "", source, destination, out ConnectionQuestion? question, out string? mistake), mistake);
        Assert.Equal((Client, sourceAddress, endPoint), (question.Source, question.SourceAddress.ToString(), question.Destination.ToString()));
    }

    [Theory]
    [InlineData("default/nobody", "10.0.0.1:80", "source: no workload is known as \"default/nobody\"")]
    [InlineData("", "10.0.0.1:80", "source: say which workload opens the connection")]
    [InlineData("default/client", "10.0.0.1", "destination: \"10.0.0.1\" has no port")]
    [InlineData("default/client", "10.0.0.1:99999", "destination: \"10.0.0.1:99999\" has no port")]
    [InlineData("default/client", "nowhere:80", "destination: neither a service visible to default nor a workload is known as \"nowhere\"")]
    [InlineData("default/client", null, "destination: \"\" has no port")]
    public void Read_WhatCannotBeFound_IsNamed(string source, string? destination, string mistake)
    {
        Assert.False(QuestionReader.TryRead(Store(Client, Server).Current, "", source, destination, out _, out string? found));
        Assert.StartsWith(mistake, found, StringComparison.Ordinal);
    }

    private static ConnectionExplanation Explain(MeshStore store, string destination) => ConnectionExplainer.Explain(
        store.Current, new RoutingContext(), PolicySettings.Default, new ConnectionQuestion(Client, IPAddress.Parse("10.0.1.5"), At(destination)), new Sequence(), NoLoad.Instance);

    private static PolicyRule Rule(params PolicyMatch[] clauses) => new(clauses.Select(static match => new PolicyClause([match])).ToValueArray());
}
