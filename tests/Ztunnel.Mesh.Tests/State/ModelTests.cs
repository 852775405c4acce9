using System.Net;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;
using static Ztunnel.Mesh.Tests.Meshes;

namespace Ztunnel.Mesh.Tests.State;

public sealed class ModelTests
{
    [Fact]
    public void ValueArray_ComparesItems()
    {
        ValueArray<string> one = ["a", "b"];
        ValueArray<string> same = ["a", "b"];

        Assert.Equal(one, same);
        Assert.Equal(one.GetHashCode(), same.GetHashCode());
        Assert.NotEqual(one, ["a"]);
        Assert.Equal(default, (ValueArray<string>)[]);
        Assert.Empty((IEnumerable<string>)default(ValueArray<string>));
        Assert.Equal(["a", "b"], one.ToImmutableArray().AsEnumerable());
    }

    [Fact]
    public void PortMap_FindsByServicePort()
    {
        PortMap ports = Ports((443, 8443), (80, 8080), (65535, 0), (80, 9090));

        Assert.Equal("80:9090, 443:8443, 65535:0", ports.ToString());
        Assert.True(ports.TryGetTarget(443, out ushort target));
        Assert.Equal(8443, target);
        Assert.True(ports.TryGetTarget(65535, out target));
        Assert.Equal(0, target);
        Assert.False(ports.TryGetTarget(81, out _));
        Assert.False(PortMap.Empty.TryGetTarget(80, out _));
        Assert.True(ports.HasTarget(9090));
        Assert.False(ports.HasTarget(8080));
        Assert.Equal(Ports((80, 1)), Ports((80, 1)));
        Assert.NotEqual(Ports((80, 1)), Ports((80, 2)));
    }

    [Theory]
    [InlineData("10.1.2.3/8", "10.255.0.0", true)]
    [InlineData("10.1.2.3/8", "11.0.0.0", false)]
    [InlineData("0.0.0.0/0", "203.0.113.1", true)]
    [InlineData("0.0.0.0/0", "fd00::1", false)]
    [InlineData("::/0", "10.0.0.1", false)]
    [InlineData("fd00::/127", "fd00::1", true)]
    [InlineData("fd00::/127", "fd00::2", false)]
    [InlineData("10.0.0.1", "10.0.0.1", true)]
    [InlineData("10.0.0.1", "10.0.0.2", false)]
    [InlineData("::ffff:10.0.0.0/104", "10.9.9.9", true)]     // becomes 10.0.0.0/8
    public void Cidr_Contains(string cidr, string address, bool expected)
    {
        Assert.True(Cidr.TryParse(cidr, out Cidr? parsed));

        Assert.Equal(expected, parsed.Contains(IPAddress.Parse(address)));
    }

    [Theory]
    [InlineData("10.0.0.0/33")]
    [InlineData("fd00::/129")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10.0.0.0/")]
    [InlineData("10.0.0.0/ 8")]
    [InlineData("x/8")]
    public void Cidr_NotAPrefix_IsRefused(string text) => Assert.False(Cidr.TryParse(text, out _));

    [Fact]
    public void Cidr_Text_KeepsHostBits() => Assert.Equal("127.0.0.1/24", Cidr.Create(IPAddress.Parse("127.0.0.1"), 24)!.ToString());

    [Fact]
    public void GatewayAddress_ReadsBothForms()
    {
        Assert.Equal(new GatewayAddress(new NetworkAddress("net", IPAddress.Parse("10.0.0.1")), 15009), GatewayAddress.TryParse("net/10.0.0.1", 15009));
        Assert.Equal(new GatewayAddress(new NetworkAddress("", IPAddress.Parse("fd00::1"))), GatewayAddress.TryParse("/fd00::1", 15008));
        Assert.Equal(new GatewayAddress(new NamespacedName("ns", "a.b")), GatewayAddress.TryParse("ns/a.b", 15008));
        Assert.Null(GatewayAddress.TryParse("nothing", 15008));
        Assert.Equal(("net/10.0.0.1", "ns/a.b"), (GatewayAddress.TryParse("net/10.0.0.1", 1)!.Destination, GatewayAddress.TryParse("ns/a.b", 1)!.Destination));
    }

    [Fact]
    public void With_ChangedRecord_DoesNotKeepWhatWasDerivedFromTheOldOne()
    {
        Service service = Service("a") with { SubjectAltNames = ["spiffe://td/ns/a/sa/b"] };
        Assert.Equal("default/a.default.svc.cluster.local", service.Key.ToString());
        Assert.Single(service.AcceptedIdentities);
        Service changed = service with { Namespace = "other", SubjectAltNames = [] };

        Assert.Equal("other/a.default.svc.cluster.local", changed.Key.ToString());
        Assert.Empty(changed.AcceptedIdentities);

        Workload workload = Pod("a");
        Assert.Equal([workload.Identity], workload.Traits.ExpectedIdentity.AsEnumerable());
        var identity = new SpiffeId("td", "x", "y");
        Assert.Equal([identity], (workload.Traits with { Identity = identity }).ExpectedIdentity.AsEnumerable());

        var policy = new Policy { Name = "a", Namespace = "ns", Action = PolicyAction.Deny };
        Assert.Equal("ns/a", policy.Compiled.Key);
        Assert.Equal("ns/b", (policy with { Name = "b" }).Key);
        Assert.NotSame(policy.Compiled, (policy with { Action = PolicyAction.Allow }).Compiled);
    }

    [Fact]
    public void IpAddresses_KeepOrderAndCompare()
    {
        IpAddresses two = Ips("10.0.0.1", "fd00::1");

        Assert.Equal((2, IPAddress.Parse("fd00::1")), (two.Count, two[1]));
        Assert.Equal(two, Ips("10.0.0.1", "fd00::1"));
        Assert.NotEqual(two, Ips("fd00::1", "10.0.0.1"));
        Assert.True(two.Contains(IPAddress.Parse("fd00::1")));
        Assert.Equal((0, false), (default(IpAddresses).Count, default(IpAddresses).Contains(IPAddress.Loopback)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Ips("10.0.0.1")[1]);
    }
}
