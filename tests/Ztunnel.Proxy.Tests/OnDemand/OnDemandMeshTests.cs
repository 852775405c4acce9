using System.Net;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.OnDemand;

namespace Ztunnel.Proxy.Tests.OnDemand;

/// <summary>Before a decision everything that it looks up has been asked for, each name once; what nobody answers fails the connection.</summary>
public sealed class OnDemandMeshTests
{
    private static readonly IPEndPoint Vip = IPEndPoint.Parse("10.1.0.1:80");

    private readonly MeshStore _store = new();
    private readonly List<string> _asked = [];
    private readonly Dictionary<string, Action> _answers = [];
    private readonly HashSet<string> _unanswered = [];
    private readonly OnDemandMesh _onDemand;

    public OnDemandMeshTests() => _onDemand = new OnDemandMesh(_store, new RoutingContext(), (name, _) =>
    {
        _asked.Add(name);
        if (_answers.TryGetValue(name, out Action? answer)) answer();
        return ValueTask.FromResult(!_unanswered.Contains(name));
    });

    [Fact]
    public async Task Service_ThenItsWaypoint_AreAskedForOneAfterTheOther()
    {
        Service waypoint = new() { Namespace = "shop", Hostname = "waypoint" };
        Service web = new() { Namespace = "shop", Hostname = "web", Vips = [new NetworkAddress("", Vip.Address)], Waypoint = new GatewayAddress(waypoint.Key) };
        _answers["/10.1.0.1"] = () => _store.Apply(new MeshUpdate { Services = [web] });
        _answers["shop/waypoint"] = () => _store.Apply(new MeshUpdate { Services = [waypoint] });

        ConnectionOutcome outcome = await _onDemand.PrepareOutboundAsync(Source(), Vip);

        Assert.Equal(EndReason.None, outcome.Reason);
        Assert.Equal(["/10.1.0.1", "shop/waypoint"], _asked);
        await _onDemand.PrepareOutboundAsync(Source(), Vip);
        Assert.Equal(2, _asked.Count);
    }

    [Fact]
    public async Task Address_ThatNobodyHas_IsAskedForOnceForEachConnection()
    {
        Assert.Equal(EndReason.None, (await _onDemand.PrepareOutboundAsync(Source(), Vip)).Reason);

        Assert.Equal(["/10.1.0.1"], _asked);
    }

    [Fact]
    public async Task Address_Unanswered_FailsTheConnectionNamingIt()
    {
        _unanswered.Add("/10.1.0.1");

        ConnectionOutcome outcome = await _onDemand.PrepareOutboundAsync(Source(), Vip);

        Assert.Equal((EndReason.NoRoute, "the control plane did not say in time what /10.1.0.1 is"), (outcome.Reason, outcome.Error));
    }

    [Fact]
    public async Task Waypoints_ThatNameEachOtherForEver_EndTheAsking()
    {
        // A control plane may say anything: each answer refers to something new.
        for (int i = 0; i < 20; i++)
        {
            string next = $"w{i}";
            _answers[i == 0 ? "/10.1.0.1" : $"shop/w{i - 1}"] = () => _store.Apply(new MeshUpdate
            {
                Services = [new Service { Namespace = "shop", Hostname = "web", Vips = [new NetworkAddress("", Vip.Address)], Waypoint = new GatewayAddress(new NamespacedName("shop", next)) }],
            });
        }

        await _onDemand.PrepareOutboundAsync(Source(), Vip);

        Assert.Equal(4, _asked.Count);
    }

    private static Workload Source() => new() { Uid = "test//Pod/shop/client", Name = "client", Traits = new WorkloadTraits { Identity = new SpiffeId("cluster.local", "shop", "client") } };
}
