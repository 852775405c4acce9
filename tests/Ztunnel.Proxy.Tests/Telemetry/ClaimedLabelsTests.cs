using Ztunnel.Mesh.Identity;
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
            Assert.NotNull(Claim($"client-{index}", Peer(index / ClaimedLabels.MostSetsOfOnePeer)));

        Assert.Null(Claim("one more"));
        Assert.Null(Claim("one more", Peer(9_999)));
        Assert.Same(first, Claim("client-0"));

        _time.Advance(Period);
        Assert.Equal("one more", Claim("one more")!.Workload);
    }

    /// <summary>One that lies must not make the others unknown.</summary>
    [Fact]
    public void Of_OnePeerUsesUpItsShare_OthersStayKnown()
    {
        for (int index = 0; index < ClaimedLabels.MostSetsOfOnePeer; index++)
            Assert.NotNull(Claim($"liar-{index}"));

        Assert.Null(Claim("liar once more"));
        Assert.Equal("honest", Claim("honest", Peer(1))!.Workload);
        Assert.Equal("without a name", Claim("without a name", peer: null)!.Workload);
        // What another one has said already costs nothing.
        Assert.Equal("honest", Claim("honest")!.Workload);

        _time.Advance(Period);
        Assert.Equal("liar once more", Claim("liar once more")!.Workload);
    }

    [Fact]
    public void Of_ValueLongerThanAnyName_IsUnknown()
    {
        Assert.NotNull(Claim(new string('a', ClaimedLabels.LongestValue)));
        Assert.Null(Claim(new string('a', ClaimedLabels.LongestValue + 1)));
        Assert.Null(_claims.Of(Baggage.Parse("cloud.region=" + new string('a', 60_000)), Peer(0)));
    }

    private static SpiffeId Peer(int number) => new("cluster.local", "default", $"peer-{number}");

    private WorkloadLabels? Claim(string workload) => Claim(workload, Peer(0));

    private WorkloadLabels? Claim(string workload, SpiffeId? peer) => _claims.Of(Baggage.Parse($"k8s.deployment.name={workload},k8s.namespace.name=default"), peer);
}
