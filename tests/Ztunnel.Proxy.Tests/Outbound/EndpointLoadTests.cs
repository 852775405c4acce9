using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Proxy.Outbound;
using Ztunnel.Proxy.Tests.Support;

namespace Ztunnel.Proxy.Tests.Outbound;

public sealed class EndpointLoadTests
{
    private static readonly Workload Endpoint = new() { Uid = "c//Pod/default/b", Traits = new WorkloadTraits { Identity = new SpiffeId("td", "default", "b") } };

    [Fact]
    public async Task Connections_StartedAndEnded_AreCounted()
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync();
        await pair.OnLoopAsync(() =>
        {
            var load = new EndpointLoad(pair.Loop);
            load.Started(Endpoint);
            load.Started(Endpoint);
            Assert.Equal(2, load.Connections(Endpoint));

            load.Ended(Endpoint);
            load.Ended(Endpoint);
            load.Ended(Endpoint);
            Assert.Equal(0, load.Connections(Endpoint));
            return true;
        });
    }

    [Fact]
    public async Task Failed_IsAvoidedUntilItSucceeds()
    {
        using TunnelPair pair = await TunnelPair.ConnectAsync();
        await pair.OnLoopAsync(() =>
        {
            var load = new EndpointLoad(pair.Loop);
            Assert.False(load.IsAvoided(Endpoint));

            load.Failed(Endpoint);
            Assert.True(load.IsAvoided(Endpoint));

            load.Succeeded(Endpoint);
            Assert.False(load.IsAvoided(Endpoint));
            return true;
        });
    }
}
