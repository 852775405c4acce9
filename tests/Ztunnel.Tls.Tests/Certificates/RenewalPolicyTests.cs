using Ztunnel.Tls.Certificates;

namespace Ztunnel.Tls.Tests.Certificates;

public sealed class RenewalPolicyTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void AfterIssue_ManyCertificatesOfADay_AreSpreadAroundHalfTheirLife()
    {
        double[] hours = [.. Enumerable.Range(0, 1000).Select(_ => (RenewalPolicy.AfterIssue(new CertificateStoreSettings(), Now, Now.AddHours(24)) - Now).TotalHours)];

        Assert.All(hours, hour => Assert.InRange(hour, 24 * 0.4, 24 * 0.6));
        Assert.True(hours.Max() - hours.Min() > 4, $"between {hours.Min()} and {hours.Max()} hours");
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(8, 128)]
    [InlineData(9, 150)]
    [InlineData(1_000_000, 150)]
    public void Backoff_AfterFailures_DoublesUpToItsCap(int failures, int seconds)
    {
        for (int i = 0; i < 100; i++)
            Assert.InRange(RenewalPolicy.Backoff(new CertificateStoreSettings(), failures).TotalSeconds, seconds * 0.8, seconds * 1.2);
    }
}
