using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Proxy.Outbound;

namespace Ztunnel.Proxy.Tests.Outbound;

public sealed class NodeLoadTests
{
    [Fact]
    public void Merge_SeveralLoops_AddsConnectionsAndKeepsEveryAvoidance()
    {
        var load = new NodeLoad(
        [
            [new EndpointState("a", 3, IsAvoided: false), new EndpointState("b", 0, IsAvoided: true)],
            [new EndpointState("a", 4, IsAvoided: false), new EndpointState("b", 1, IsAvoided: false)],
        ]);

        Assert.Equal((7, false), (load.Connections(Named("a")), load.IsAvoided(Named("a"))));
        Assert.Equal((1, true), (load.Connections(Named("b")), load.IsAvoided(Named("b"))));
        Assert.Equal((0, false), (load.Connections(Named("c")), load.IsAvoided(Named("c"))));
    }

    private static Workload Named(string uid) => new() { Uid = uid, Traits = new WorkloadTraits { Identity = new SpiffeId("cluster.local", "default", uid) } };
}
