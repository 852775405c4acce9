using System.Net;
using Ztunnel.Dns.Names;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.State;

namespace Ztunnel.Dns.Tests.Names;

/// <summary>Which service a name means (data-path 7.4): tables of names, no sockets.</summary>
public sealed class NameMatcherTests
{
    private static readonly MeshStore Mesh = CreateMesh();

    [Theory]
    // Kubernetes completions, from inside and outside the namespace.
    [InlineData("web", "web.ns1.svc.cluster.local")]
    [InlineData("web.ns1", "web.ns1.svc.cluster.local")]
    [InlineData("web.ns1.svc", "web.ns1.svc.cluster.local")]
    [InlineData("web.ns1.svc.cluster.local", "web.ns1.svc.cluster.local")]
    [InlineData("api.ns2", "api.ns2.svc.cluster.local")]
    [InlineData("api.ns2.svc", "api.ns2.svc.cluster.local")]
    [InlineData("api", null)]
    [InlineData("web.ns2", null)]
    // Other hosts.
    [InlineData("www.example.com", "www.example.com")]
    [InlineData("example.com", null)]
    [InlineData("single", "single")]
    [InlineData("headless-outside.example.com", null)]
    // Wildcards: any depth, the closest wins, never the apex.
    [InlineData("x.wild.test", "*.wild.test")]
    [InlineData("y.x.wild.test", "*.wild.test")]
    [InlineData("z.deep.wild.test", "*.deep.wild.test")]
    [InlineData("deep.wild.test", "*.wild.test")]
    [InlineData("wild.test", null)]
    [InlineData("xwild.test", null)]
    // Visibility and choice.
    [InlineData("private.ns2.svc.cluster.local", null)]
    [InlineData("private.ns1.svc.cluster.local", "private.ns1.svc.cluster.local")]
    // Headless: the service, and its pods by name.
    [InlineData("headless", "headless.ns1.svc.cluster.local")]
    [InlineData("web-0.headless.ns1.svc.cluster.local", "headless.ns1.svc.cluster.local")]
    [InlineData("web-9.headless.ns1.svc.cluster.local", null)]
    [InlineData("web-0.web.ns1.svc.cluster.local", null)]
    [InlineData("", null)]
    public void Find_Name_IsService(string name, string? expected)
    {
        NameMatch match = Find(name);

        Assert.Equal(expected, match.Service?.Hostname);
        Assert.Equal(0, match.StrippedLength);
        Assert.Equal(name.StartsWith("web-0", StringComparison.Ordinal) && expected is not null, match.Pod is not null);
    }

    [Theory]
    [InlineData("www.example.com.ns1.svc.cluster.local", "www.example.com", "www.example.com")]
    [InlineData("www.example.com.svc.cluster.local", "www.example.com", "www.example.com")]
    [InlineData("www.example.com.cluster.local", "www.example.com", "www.example.com")]
    [InlineData("web.ns1.svc.cluster.local.ns1.svc.cluster.local", "web.ns1.svc.cluster.local", "web.ns1.svc.cluster.local")]
    [InlineData("api.ns2.ns1.svc.cluster.local", "api.ns2.svc.cluster.local", "api.ns2")]
    [InlineData("api.ns2.svc.cluster.local.cluster.local", "api.ns2.svc.cluster.local", "api.ns2.svc.cluster.local")]
    public void Find_SearchDomainAppended_IsStrippedAndTold(string name, string expected, string stripped)
    {
        NameMatch match = Find(name);

        Assert.Equal(expected, match.Service?.Hostname);
        Assert.Equal(stripped, name[..match.StrippedLength]);
        Assert.True(match.NeedsCname);
    }

    [Fact]
    public void Find_WildcardBehindSearchDomain_HasNoCname() => Assert.False(Find("x.wild.test.ns1.svc.cluster.local").NeedsCname);

    [Theory]
    [InlineData("ns1", null, "ns1")]
    [InlineData("ns3", null, "ns2")]
    [InlineData("ns9", null, "ns2")]
    public void Find_SameHostname_OwnNamespaceThenCanonical(string client, string? preferred, string expected) =>
        Assert.Equal(expected, NameMatcher.Find(Mesh.Current, new ClientNames(client, "cluster.local", preferred, null), "shared.test").Service?.Namespace);

    [Theory]
    [InlineData(null, "ns1")]
    [InlineData("ns2", "ns2")]
    public void Find_SameHostname_PreferredNamespaceThenFirst(string? preferred, string expected) =>
        Assert.Equal(expected, NameMatcher.Find(Mesh.Current, new ClientNames("ns9", "cluster.local", preferred, null), "twice.test").Service?.Namespace);

    [Fact]
    public void Find_OwnSearchList_Counts()
    {
        var names = new ClientNames("ns1", "Cluster.Local.", null, ["corp.test."]);

        Assert.Equal("www.example.com", NameMatcher.Find(Mesh.Current, names, "www.example.com.corp.test").Service?.Hostname);
        Assert.Null(NameMatcher.Find(Mesh.Current, names, "www.example.com.svc.cluster.local").Service);
    }

    private static NameMatch Find(string name) => NameMatcher.Find(Mesh.Current, new ClientNames("ns1", "cluster.local", null, null), name);

    private static MeshStore CreateMesh()
    {
        var store = new MeshStore();
        store.Replace(new MeshUpdate
        {
            Services =
            [
                Service("ns1", "web.ns1.svc.cluster.local"), Service("ns2", "api.ns2.svc.cluster.local"), Service("ns1", "www.example.com"), Service("ns1", "single"),
                Service("ns1", "headless-outside.example.com", isHeadless: true), Service("ns1", "*.wild.test"), Service("ns1", "*.deep.wild.test"),
                Service("ns2", "private.ns2.svc.cluster.local") with { Visibility = ServiceVisibility.Namespace },
                Service("ns1", "private.ns1.svc.cluster.local") with { Visibility = ServiceVisibility.Namespace },
                Service("ns1", "headless.ns1.svc.cluster.local", isHeadless: true),
                Service("ns1", "shared.test"), Service("ns2", "shared.test") with { Canonical = true }, Service("ns1", "twice.test"), Service("ns2", "twice.test"),
            ],
            Workloads =
            [
                new Workload
                {
                    Uid = "c//Pod/ns1/web-0",
                    Name = "web-0",
                    Addresses = IpAddresses.Create(IPAddress.Parse("10.1.0.1")),
                    Traits = new WorkloadTraits
                    {
                        Identity = new SpiffeId("cluster.local", "ns1", "web"),
                        Services = [new ServiceMembership(new NamespacedName("ns1", "headless.ns1.svc.cluster.local"), PortMap.Empty)],
                    },
                },
            ],
        });
        return store;
    }

    private static Service Service(string ns, string hostname, bool isHeadless = false) => new()
    {
        Namespace = ns,
        Name = hostname.Split('.')[0],
        Hostname = hostname,
        Vips = isHeadless ? default : [new NetworkAddress("", IPAddress.Parse("10.99.0.1"))],
    };
}
