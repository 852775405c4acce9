using Ztunnel.Dns.Messages;
using Ztunnel.Dns.Names;
using Ztunnel.Dns.Tests.Reference;

namespace Ztunnel.Dns.Tests.Names;

public sealed class ControlPlaneNamesTests
{
    /// <summary>The question is for a.up.test.</summary>
    [Theory]
    [InlineData(true, "a.up.test")]
    [InlineData(true, "A.up")]
    [InlineData(true, "elsewhere", "a.up")]
    [InlineData(false, "a.u")]
    [InlineData(false, "up.test")]
    [InlineData(false, "a.up.test.example")]
    [InlineData(false)]
    public void Hold_NameOfTheControlPlaneAloneOrCompleted(bool expected, params string[] hosts)
    {
        DnsQuery.Read(RecordedQuery.All.First(static query => query.Title == "upstream A").Sent, out DnsQuery query);

        Assert.Equal(expected, ControlPlaneNames.Hold(hosts, query.Name));
    }
}
