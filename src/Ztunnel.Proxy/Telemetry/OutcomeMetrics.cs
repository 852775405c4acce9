using Ztunnel.Mesh.Authorization;
using Ztunnel.Proxy.Connections;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Proxy.Telemetry;

/// <summary>The metrics of decisions: how every connection ended or was refused, what policies said, and which failures another attempt made good.</summary>
/// <remarks>Verbs are called on the thread of the loop they name.</remarks>
public sealed class OutcomeMetrics
{
    private static readonly int Reasons = EndReasons.All.Count;
    private static readonly Reporter[] Reporters = [Reporter.Source, Reporter.Destination];
    private static readonly PolicyOutcome[] Decisions = Enum.GetValues<PolicyOutcome>();
    private static readonly int FirstRetryCell = 2 * Reasons;
    private static readonly int FirstDecisionCell = FirstRetryCell + 2 * Reasons;

    private readonly LoopCells _cells;

    public OutcomeMetrics(MetricRegistry registry)
    {
        _cells = new LoopCells(registry.Settings.Loops, FirstDecisionCell + Decisions.Length);
        registry.AddCallback(
            MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_connections_ended",
            "Connections that ended, failed or were refused, by reason code and by who has to act (unstable)", ["reporter", "reason", "fault"], ReportEnds);
        registry.AddCallback(
            MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_failover_attempts",
            "Further attempts of connections whose attempt failed for a reason: to the next endpoint, or to the same one through a fresh tunnel (unstable)", ["target", "reason"], ReportRetries);
        registry.AddCallback(
            MetricGroup.Ztunnel, MetricKind.Counter, "ztunnel_policy_decisions", "Authorizations of new connections by outcome (unstable)", ["outcome"], sink =>
            {
                foreach (PolicyOutcome decision in Decisions)
                    sink.Report(_cells.Read(FirstDecisionCell + (int)decision), Word(decision));
            });
    }

    /// <summary>A connection ended, or was refused before it had books.</summary>
    internal void Ended(int loop, Reporter reporter, EndReason reason) => _cells.Add(loop, (int)reporter * Reasons + (int)reason);

    /// <summary>A failed attempt is followed by another one.</summary>
    internal void Retried(int loop, bool sameEndpoint, EndReason failure) => _cells.Add(loop, FirstRetryCell + (sameEndpoint ? Reasons : 0) + (int)failure);

    /// <summary>Policies decided on a new connection.</summary>
    internal void Decided(int loop, PolicyOutcome outcome) => _cells.Add(loop, FirstDecisionCell + (int)outcome);

    // Every reason from the start: the first failure of a kind must be a change that rate() can see.
    private void ReportEnds(SampleSink sink)
    {
        foreach (Reporter reporter in Reporters)
        {
            for (EndReason reason = EndReason.Completed; (int)reason < Reasons; reason++)
            {
                EndReasonEntry entry = EndReasons.Describe(reason);
                sink.Report(_cells.Read((int)reporter * Reasons + (int)reason), ReporterText.Label(reporter), entry.Code, Word(entry.Fault));
            }
        }
    }

    private void ReportRetries(SampleSink sink)
    {
        for (int target = 0; target < 2; target++)
        {
            for (EndReason reason = 0; (int)reason < Reasons; reason++)
            {
                long count = _cells.Read(FirstRetryCell + target * Reasons + (int)reason);
                if (count > 0)
                    sink.Report(count, target == 0 ? "next" : "same", EndReasons.Describe(reason).Code);
            }
        }
    }

    private static string Word(FaultSide side) => side switch
    {
        FaultSide.Nobody => "nobody",
        FaultSide.Source => "source",
        FaultSide.Destination => "destination",
        FaultSide.Policy => "policy",
        FaultSide.Network => "network",
        FaultSide.ControlPlane => "control_plane",
        _ => "proxy",
    };

    private static string Word(PolicyOutcome outcome) => outcome switch
    {
        PolicyOutcome.Allowed => "allowed",
        PolicyOutcome.ExplicitlyDenied => "explicitly_denied",
        PolicyOutcome.NotAllowed => "not_allowed",
        _ => "policy_unknown",
    };
}
