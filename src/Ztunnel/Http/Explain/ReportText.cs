using System.Globalization;
using System.Text;
using Ztunnel.Mesh.Explaining;
using Ztunnel.Mesh.Model;
using Ztunnel.Mesh.Routing;
using Ztunnel.Proxy.Connections;
using Ztunnel.Telemetry.Failures;

namespace Ztunnel.Http.Explain;

/// <summary>A report for people: the verdict first, then what it rests on.</summary>
internal static class ReportText
{
    public static string Write(ExplanationReport report)
    {
        ConnectionExplanation explanation = report.Explanation;
        var text = new StringBuilder();
        Line(text, $"{explanation.Question.Source.Namespace}/{explanation.Question.Source.Name} ({explanation.Question.SourceAddress}) -> {explanation.Question.Destination}");
        Line(text, report.Obstacle is { } obstacle ? $"would NOT be delivered: {obstacle}" : $"would be delivered over {ReportJson.Word(explanation.Kind)}");

        Heading(text, "Route");
        foreach (RouteStep step in explanation.Steps)
            Line(text, $"  {step.Question}? {step.Answer}");
        if (explanation.Error is { } error)
            Line(text, $"  refused: {error}");
        WriteHops(text, explanation.Hops);
        WriteEndpoints(text, explanation);
        WritePolicies(text, explanation);
        WriteCertificate(text, report);
        WriteFailures(text, report.Failures);
        return text.ToString();
    }

    private static void WriteHops(StringBuilder text, IReadOnlyList<NextHop> hops)
    {
        if (hops.Count == 0)
            return;
        Heading(text, "Next hops, in the order they are tried");
        for (int i = 0; i < hops.Count; i++)
        {
            NextHop hop = hops[i];
            Line(text, $"  {i + 1}. {ReportJson.Word(hop.Kind)} to {hop.Address?.ToString() ?? hop.Hostname}{(hop.Workload is null ? "" : $", workload {hop.Workload.Uid}")}");
            if (hop.Authority.Length > 0)
                Line(text, $"     CONNECT {hop.Authority}");
            if (hop.ExpectedIdentities.Length > 0)
                Line(text, $"     expects {string.Join(" or ", hop.ExpectedIdentities)}");
            if (hop.Kind == RouteKind.DoubleHbone)
                Line(text, $"     and behind it {(hop.InnerIdentities.Length == 0 ? "nobody: the service names no identities" : string.Join(" or ", hop.InnerIdentities))}");
        }
    }

    private static void WriteEndpoints(StringBuilder text, ConnectionExplanation explanation)
    {
        if (explanation.Endpoints.Count == 0)
            return;
        Heading(text, "Endpoints of the service");
        foreach (EndpointExplanation endpoint in explanation.Endpoints)
        {
            string address = endpoint.Workload.Addresses.Count > 0 ? endpoint.Workload.Addresses[0].ToString() : "no address";
            string port = endpoint.TargetPort is { } target ? target.ToString(CultureInfo.InvariantCulture) : "-";
            string use = endpoint.Obstacle is { } obstacle ? $"not used: {obstacle}" : $"rank {endpoint.Rank}";
            string lately = endpoint.IsAvoided ? ", failed a moment ago: tried last" : "";
            Line(text, $"  {endpoint.Workload.Uid}  {address}  port {port}  {(endpoint.Status == HealthStatus.Healthy ? "healthy" : "unhealthy")}  {use}{lately}, {endpoint.Connections} open");
        }
    }

    private static void WritePolicies(StringBuilder text, ConnectionExplanation explanation)
    {
        Heading(text, $"Policies, enforced by {explanation.Enforcement}");
        if (explanation.Authorization is not { } authorization)
            return;
        Line(text, authorization.Decision.Allowed ? "  allowed" : $"  denied: {authorization.Decision.Reason}");
        foreach (PolicyExplanation policy in authorization.Policies)
        {
            string action = $"{(policy.Policy.DryRun ? "dry run " : "")}{policy.Policy.Action.ToString().ToUpperInvariant()}";
            Line(text, $"  {action} {policy.Policy.Key}: {(policy.Matches ? "matches" : "does not match")}");
            if (policy.Nearest is not { } nearest)
                continue;
            Line(text, $"     the nearest is rule {nearest.Number}, which misses:");
            foreach (FailedCondition condition in nearest.Missing)
                Line(text, $"       {condition.Field}: expected {condition.Expected}, found {condition.Found}");
        }

        foreach (string key in authorization.Decision.UnknownPolicies)
            Line(text, $"  {key}: referred to by the workload, but not sent by the control plane");
    }

    private static void WriteCertificate(StringBuilder text, ExplanationReport report)
    {
        if (report.Certificate is not { } status)
            return;
        Heading(text, $"Certificate of {status.Identity}");
        string validity = status.Certificate is { } certificate ? $", valid for {Validity(certificate.NotAfter - report.Now)}, {certificate.Roots.Length} root(s)" : "";
        Line(text, $"  {status.State}{validity}{(status.Error is { } error ? $"; last request failed: {error}" : "")}");
    }

    private static void WriteFailures(StringBuilder text, IReadOnlyList<FailureGroup> failures)
    {
        Heading(text, failures.Count == 0 ? "No failures on this way are remembered" : "Latest failures on this way");
        foreach (FailureGroup group in failures)
        {
            string repeated = group.Count == 1 ? "" : $" ({group.Count} times since {FailureJson.Text(group.First)})";
            Line(text, $"  {FailureJson.Text(group.Latest.Time)} {group.Latest.Reason}: {group.Latest.Error}{repeated}");
            if (group.Latest.Way is { } way)
                Line(text, $"     tcp: {way}");
            if (FailureJson.Meaning(group.Latest) is { } meaning)
                Line(text, $"     {(meaning.Fault == FaultSide.Nobody ? "" : $"on the side of: {meaning.Fault.ToString().ToLowerInvariant()}; ")}check: {meaning.Advice}");
        }
    }

    // To the minute: nobody decides anything by the seconds, and a watched report should not change with each of them.
    private static string Validity(TimeSpan left) => string.Create(CultureInfo.InvariantCulture, $"{(int)left.TotalHours}h{left.Minutes}m");

    private static void Heading(StringBuilder text, string heading) => text.Append('\n').Append(heading).Append('\n');

    private static void Line(StringBuilder text, string line) => text.Append(line).Append('\n');
}
