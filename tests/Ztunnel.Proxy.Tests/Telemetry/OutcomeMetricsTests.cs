using Ztunnel.Mesh.Authorization;
using Ztunnel.Proxy.Connections;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Proxy.Tests.Support;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Tests.Telemetry;

public sealed class OutcomeMetricsTests
{
    private readonly MetricRegistry _registry = new(new MetricSettings { Loops = 2 }, TimeProvider.System);
    private readonly OutcomeMetrics _metrics;

    public OutcomeMetricsTests() => _metrics = new OutcomeMetrics(_registry);

    [Fact]
    public void Ended_EveryReasonOfBothReporters_HasASeriesFromTheStart()
    {
        string[] lines = Scraped.Lines(_registry, "ztunnel_connections_ended_total{");

        Assert.Equal(2 * (EndReasons.All.Count - 1), lines.Length);
        Assert.All(lines, static line => Assert.EndsWith("} 0", line, StringComparison.Ordinal));
    }

    [Fact]
    public void Ended_OnTwoLoops_IsOneNumberWithReasonAndFault()
    {
        _metrics.Ended(loop: 0, Reporter.Destination, EndReason.PolicyDenied);
        _metrics.Ended(loop: 1, Reporter.Destination, EndReason.PolicyDenied);
        _metrics.Ended(loop: 1, Reporter.Source, EndReason.NoRoute);

        string[] counted = [.. Scraped.Lines(_registry, "ztunnel_connections_ended_total{").Where(static line => !line.EndsWith("} 0", StringComparison.Ordinal))];
        Assert.Equal(
            [
                "ztunnel_connections_ended_total{reporter=\"source\",reason=\"no_route\",fault=\"control_plane\"} 1",
                "ztunnel_connections_ended_total{reporter=\"destination\",reason=\"policy_denied\",fault=\"policy\"} 2",
            ],
            counted);
    }

    [Fact]
    public void Retried_ToNextAndSameEndpoint_AreKeptApart()
    {
        _metrics.Retried(loop: 0, sameEndpoint: false, EndReason.ConnectFailed);
        _metrics.Retried(loop: 0, sameEndpoint: true, EndReason.TunnelLost);

        Assert.Equal(
            ["ztunnel_failover_attempts_total{target=\"next\",reason=\"connect_failed\"} 1", "ztunnel_failover_attempts_total{target=\"same\",reason=\"tunnel_lost\"} 1"],
            Scraped.Lines(_registry, "ztunnel_failover_attempts_total{"));
    }

    [Fact]
    public void Decided_EveryOutcome_HasItsWord()
    {
        foreach (PolicyOutcome outcome in Enum.GetValues<PolicyOutcome>())
            _metrics.Decided(loop: 1, outcome);

        Assert.Equal(
            ["allowed", "explicitly_denied", "not_allowed", "policy_unknown"],
            Scraped.Lines(_registry, "ztunnel_policy_decisions_total{").Select(static line => line.Split('"')[1]));
    }
}
