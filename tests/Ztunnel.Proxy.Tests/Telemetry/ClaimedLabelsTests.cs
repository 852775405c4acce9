using Ztunnel.Mesh.Propagation;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Telemetry.Metrics;
using Ztunnel.Testing.Time;

namespace Ztunnel.Proxy.Tests.Telemetry;

/// <summary>What a peer says of itself must not become series without end.</summary>
public sealed class ClaimedLabelsTests
{
    private static readonly TimeSpan Period = TimeSpan.FromHours(1);

    private readonly ManualTimeProvider _time = new();
    private readonly ClaimedLabels _claims;

    public ClaimedLabelsTests() => _claims = new ClaimedLabels(_time, Period);

    [Fact]
    public void Of_SameClaimAgain_IsTheSameObject()
    {
        WorkloadLabels first = Claim("client")!;

        Assert.Equal("client", first.Workload);
        Assert.Same(first, Claim("client"));
    }

    [Fact]
    public void Of_AnotherNameEachTime_IsUnknownBeyondTheBound()
    {
        WorkloadLabels first = Claim("client-0")!;
        for (int index = 1; index < ClaimedLabels.MostSets; index++)
            Assert.NotNull(Claim($"client-{index}"));

        Assert.Null(Claim("one more"));
        Assert.Same(first, Claim("client-0"));

        _time.Advance(Period);
        Assert.Equal("one more", Claim("one more")!.Workload);
    }

    [Fact]
    public void Of_ValueLongerThanAnyName_IsUnknown()
    {
        Assert.NotNull(Claim(new string('a', ClaimedLabels.LongestValue)));
        Assert.Null(Claim(new string('a', ClaimedLabels.LongestValue + 1)));
        Assert.Null(_claims.Of(Baggage.Parse("cloud.region=" + new string('a', 60_000))));
    }

    private WorkloadLabels? Claim(string workload) => _claims.Of(Baggage.Parse($"k8s.deployment.name={workload},k8s.namespace.name=default"));
}
