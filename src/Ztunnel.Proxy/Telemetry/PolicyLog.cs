using Microsoft.Extensions.Logging;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Proxy.Telemetry;

/// <summary>
/// What policies decided about a new connection, those in dry run included, for operators who try them out (control-path 6.8; ids 2040–2049). At debug, or at info with AUTHZ_POLICY_INFO_LOGGING.
/// </summary>
internal static partial class PolicyLog
{
    /// <summary>One line for each policy in dry run that has something to say, then the decision; in the order in which policies are asked.</summary>
    public static void Decided(ILogger log, LogLevel level, PolicyDecision decision, in PolicyConnection connection)
    {
        if (!log.IsEnabled(level))
            return;

        var peer = new LogSpan("inbound", new KeyValuePair<string, string>("peer", connection.Source.ToString()));
        foreach (string policy in decision.DryRun?.WouldDeny ?? default)
            DryRunDenies(log, level, policy, peer);
        if (decision.Outcome == PolicyOutcome.ExplicitlyDenied)
        {
            Denies(log, level, decision.Policy!, peer);
            return;
        }

        foreach (string policy in decision.DryRun?.WouldAllow ?? default)
            DryRunAllows(log, level, policy, peer);
        if (decision.DryRun is { WouldNotAllow: true })
            DryRunNoneAllows(log, level, peer);
        switch (decision)
        {
            case { Outcome: PolicyOutcome.NotAllowed }: NoneAllows(log, level, peer); break;
            case { Allowed: true, Policy: { } allowing }: Allows(log, level, allowing, peer); break;
            case { Allowed: true }: NoAllowPolicies(log, level, peer); break;
            default: break;   // a policy that is not known has its own warning
        }
    }

    [LoggerMessage(EventId = 2040, Message = "dry-run: deny policy match")]
    private static partial void DryRunDenies(ILogger log, LogLevel level, string policy, LogSpan peer);

    [LoggerMessage(EventId = 2041, Message = "deny policy match")]
    private static partial void Denies(ILogger log, LogLevel level, string policy, LogSpan peer);

    [LoggerMessage(EventId = 2042, Message = "dry-run: allow policy match")]
    private static partial void DryRunAllows(ILogger log, LogLevel level, string policy, LogSpan peer);

    [LoggerMessage(EventId = 2043, Message = "dry-run: no allow policies matched")]
    private static partial void DryRunNoneAllows(ILogger log, LogLevel level, LogSpan peer);

    [LoggerMessage(EventId = 2044, Message = "no allow policies, allow")]
    private static partial void NoAllowPolicies(ILogger log, LogLevel level, LogSpan peer);

    [LoggerMessage(EventId = 2045, Message = "allow policy match")]
    private static partial void Allows(ILogger log, LogLevel level, string policy, LogSpan peer);

    [LoggerMessage(EventId = 2046, Message = "no allow policies matched")]
    private static partial void NoneAllows(ILogger log, LogLevel level, LogSpan peer);
}
