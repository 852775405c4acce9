using System.Net;
using Microsoft.Extensions.Logging;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Testing.Logging;

namespace Ztunnel.Proxy.Tests.Telemetry;

/// <summary>The lines that the existing program writes for a decision, in its order.</summary>
public sealed class PolicyLogTests
{
    private static readonly PolicyConnection Connection = new(null, IPAddress.Parse("10.0.0.1"), new IPEndPoint(IPAddress.Parse("10.0.0.2"), 80));

    public static TheoryData<PolicyDecision, string[]> Decisions => new()
    {
        { new PolicyDecision(PolicyOutcome.Allowed), ["no allow policies, allow"] },
        { new PolicyDecision(PolicyOutcome.Allowed) { Policy = "a/b" }, ["allow policy match"] },
        { new PolicyDecision(PolicyOutcome.NotAllowed), ["no allow policies matched"] },
        { new PolicyDecision(PolicyOutcome.ExplicitlyDenied) { Policy = "a/b" }, ["deny policy match"] },
        { new PolicyDecision(PolicyOutcome.NotAllowed) { DryRun = new DryRunReport(["a/dry"], default, WouldNotAllow: false) }, ["dry-run: deny policy match", "no allow policies matched"] },
        { new PolicyDecision(PolicyOutcome.ExplicitlyDenied) { Policy = "a/b", DryRun = new DryRunReport(["a/dry"], default, WouldNotAllow: false) }, ["dry-run: deny policy match", "deny policy match"] },
        { new PolicyDecision(PolicyOutcome.Allowed) { DryRun = new DryRunReport(default, ["a/x", "a/y"], WouldNotAllow: false) }, ["dry-run: allow policy match", "dry-run: allow policy match", "no allow policies, allow"] },
        { new PolicyDecision(PolicyOutcome.Allowed) { DryRun = new DryRunReport(default, default, WouldNotAllow: true) }, ["dry-run: no allow policies matched", "no allow policies, allow"] },
        { new PolicyDecision(PolicyOutcome.PolicyUnknown) { UnknownPolicies = ["a/missing"] }, [] },
    };

    [Theory]
    [MemberData(nameof(Decisions))]
    public void Decision_IsTold_AtTheLevelThatWasAskedFor(PolicyDecision decision, string[] expected)
    {
        using RecordingLogger log = new();

        PolicyLog.Decided(log, LogLevel.Information, decision, in Connection);
        PolicyLog.Decided(log, LogLevel.Debug, decision, in Connection);

        Assert.Equal(expected, log.Lines(LogLevel.Information));
        Assert.Equal(expected, log.Lines(LogLevel.Debug));
    }
}
