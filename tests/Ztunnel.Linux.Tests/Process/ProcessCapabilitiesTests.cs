using Ztunnel.Linux.Process;

namespace Ztunnel.Linux.Tests.Process;

public sealed class ProcessCapabilitiesTests
{
    [Theory]
    [InlineData("Name:\tztunnel\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n", "")]
    [InlineData("CapEff:\t0000000000203000\n", "")]
    [InlineData("CapEff:\t0000000000001000\n", "NET_RAW SYS_ADMIN")]
    [InlineData("CapEff:\t0000000000000000\n", "NET_ADMIN NET_RAW SYS_ADMIN")]
    [InlineData("", "NET_ADMIN NET_RAW SYS_ADMIN")]
    public void FindMissing_Status_NamesThem(string status, string expected) => Assert.Equal(expected, string.Join(' ', ProcessCapabilities.FindMissing(status)));
}
