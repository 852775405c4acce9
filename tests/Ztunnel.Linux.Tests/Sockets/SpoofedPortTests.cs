using Ztunnel.Linux.Sockets;

namespace Ztunnel.Linux.Tests.Sockets;

public sealed class SpoofedPortTests
{
    [Fact]
    public void Choose_IsAnyOddPortOfTheRange_WhereConnectingClientsHaveEvenOnes()
    {
        HashSet<int> chosen = [.. Enumerable.Range(0, 20_000).Select(static _ => SpoofedPort.Choose())];

        Assert.All(chosen, static port => Assert.Equal(1, port % 2));
        Assert.InRange(chosen.Min(), SpoofedPort.Lowest, SpoofedPort.Lowest + 200);
        Assert.InRange(chosen.Max(), SpoofedPort.Highest - 200, SpoofedPort.Highest);
        Assert.True(chosen.Count > 8_000, $"{chosen.Count} different ports");
    }
}
