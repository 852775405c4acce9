using System.Net;
using Ztunnel.Dns.Forwarding;

namespace Ztunnel.Dns.Tests.Forwarding;

public sealed class ResolverConfigurationTests
{
    [Fact]
    public void Parse_ReadsWhatCounts()
    {
        ResolverConfiguration read = ResolverConfiguration.Parse("# written by a kubelet\nnameserver 10.96.0.10\nnameserver\tfd00::a\nnameserver nonsense\ndomain gone.test\nsearch a.svc.cluster.local svc.cluster.local\noptions ndots:5 timeout:3 attempts:9 edns0 timeout:x\n");

        Assert.Equal([new IPEndPoint(IPAddress.Parse("10.96.0.10"), 53), new IPEndPoint(IPAddress.Parse("fd00::a"), 53)], read.Servers);
        Assert.Equal(["a.svc.cluster.local", "svc.cluster.local"], read.SearchDomains);
        Assert.Equal(TimeSpan.FromSeconds(3), read.Timeout);
        Assert.Equal(5, read.Attempts);
    }

    [Fact]
    public void Parse_Nothing_IsTheDefaults()
    {
        ResolverConfiguration read = ResolverConfiguration.Parse("");

        Assert.Empty(read.Servers);
        Assert.Equal(TimeSpan.FromSeconds(5), read.Timeout);
        Assert.Equal(2, read.Attempts);
    }

    [Fact]
    public void Choose_PutsWhoFailedLast_ForAWhile()
    {
        IPEndPoint[] servers = [new(IPAddress.Loopback, 1), new(IPAddress.Loopback, 2), new(IPAddress.Loopback, 3)];
        var order = new UpstreamServers(servers);
        order.Failed(0, now: 1_000);

        uint tried = 0;
        Assert.Equal([1, 2, 0, 1], Enumerable.Range(0, 4).Select(_ => order.Choose(ref tried, now: 2_000)));
        tried = 0;
        Assert.Equal([0, 1, 2, 0], Enumerable.Range(0, 4).Select(_ => order.Choose(ref tried, now: 6_001)));
    }
}
