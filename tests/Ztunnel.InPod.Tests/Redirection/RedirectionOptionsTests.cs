using System.Net;
using Ztunnel.InPod.Redirection;

namespace Ztunnel.InPod.Tests.Redirection;

public sealed class RedirectionOptionsTests
{
    [Theory]
    [InlineData("eth0", true)]
    [InlineData("k6t-net1.5@x", true)]
    [InlineData("", false)]
    [InlineData("-A", false)]
    [InlineData("eth0 -j ACCEPT", false)]
    [InlineData("e\" accept", false)]
    [InlineData("eth0\nflush ruleset", false)]
    [InlineData("veth+", false)]
    [InlineData("abcdefghijklmnop", false)]
    public void FindMistakes_VirtualInterface_TakesPlainNamesOnly(string name, bool accepted)
    {
        var options = new RedirectionOptions { VirtualInterfaces = [name] };

        Assert.Equal(accepted, options.FindMistakes().Count == 0);
    }

    [Fact]
    public void FindMistakes_ProbeAddressesSwapped_NamesBoth()
    {
        var options = new RedirectionOptions { ProbeAddressIPv4 = IPAddress.IPv6Loopback, ProbeAddressIPv6 = IPAddress.Loopback };

        Assert.Equal(["probe address ::1 is not an IPv4 address", "IPv6 probe address 127.0.0.1 is not an IPv6 address"], options.FindMistakes());
    }
}
