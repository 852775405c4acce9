using System.Globalization;
using System.Text.Json;
using Ztunnel.Mesh.Explaining;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Routing;
using Ztunnel.Telemetry.Failures;

namespace Ztunnel.Http.Explain;

/// <summary>A report for programs.</summary>
internal static class ReportJson
{
    public static void Write(Utf8JsonWriter json, ExplanationReport report)
    {
        ConnectionExplanation explanation = report.Explanation;
        json.WriteStartObject();
        json.WriteStartObject("verdict");
        json.WriteBoolean("delivered", report.Obstacle is null);
        WriteOptional(json, "reason", report.Obstacle);
        json.WriteEndObject();

        json.WriteStartObject("source");
        json.WriteString("workload", explanation.Question.Source.Uid);
        json.WriteString("address", explanation.Question.SourceAddress.ToString());
        json.WriteString("identity", explanation.Question.Source.Identity.ToString());
        json.WriteEndObject();
        json.WriteString("destination", explanation.Question.Destination.ToString());

        json.WriteStartObject("route");
        json.WriteString("kind", Word(explanation.Kind));
        WriteOptional(json, "error", explanation.Error);
        WriteOptional(json, "refusal", explanation.Reason == RefuseReason.None ? null : explanation.Reason.ToString());
        WriteOptional(json, "service", explanation.Service?.Key.ToString());
        WriteList(json, "steps", explanation.Steps, static (json, step) =>
        {
            json.WriteString("question", step.Question);
            json.WriteString("answer", step.Answer);
        });
        json.WriteEndObject();

        WriteList(json, "hops", explanation.Hops, WriteHop);
        WriteList(json, "endpoints", explanation.Endpoints, WriteEndpoint);
        WriteAuthorization(json, explanation);
        WriteCertificate(json, report);
        json.WriteStartArray("failures");
        foreach (FailureGroup failure in report.Failures)
            FailureJson.Write(json, failure);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    public static string Word(RouteKind kind) => kind switch
    {
        RouteKind.Refuse => "refused",
        RouteKind.Tcp => "TCP",
        RouteKind.Hbone => "HBONE",
        _ => "DOUBLEHBONE",
    };

    private static void WriteHop(Utf8JsonWriter json, NextHop hop)
    {
        json.WriteString("protocol", Word(hop.Kind));
        WriteOptional(json, "address", hop.Address?.ToString());
        WriteOptional(json, "hostname", hop.Hostname);
        WriteOptional(json, "authority", hop.Authority.Length == 0 ? null : hop.Authority);
        WriteOptional(json, "workload", hop.Workload?.Uid);
        WriteOptional(json, "gatewayService", hop.GatewayService?.Key.ToString());
        WriteIdentities(json, "expectedIdentities", hop.ExpectedIdentities);
        WriteIdentities(json, "innerIdentities", hop.InnerIdentities);
    }

    private static void WriteEndpoint(Utf8JsonWriter json, EndpointExplanation endpoint)
    {
        json.WriteString("workload", endpoint.Workload.Uid);
        WriteOptional(json, "address", endpoint.Workload.Addresses.Count > 0 ? endpoint.Workload.Addresses[0].ToString() : null);
        json.WriteString("status", endpoint.Status.ToString());
        if (endpoint.TargetPort is { } port)
            json.WriteNumber("targetPort", port);
        if (endpoint.Rank is { } rank)
            json.WriteNumber("rank", rank);
        WriteOptional(json, "notUsedBecause", endpoint.Obstacle);
        json.WriteNumber("openConnections", endpoint.Connections);
        json.WriteBoolean("avoidedAfterFailure", endpoint.IsAvoided);
    }

    private static void WriteAuthorization(Utf8JsonWriter json, ConnectionExplanation explanation)
    {
        json.WriteStartObject("authorization");
        json.WriteString("enforcedBy", explanation.Enforcement);
        if (explanation.Authorization is { } authorization)
        {
            json.WriteBoolean("allowed", authorization.Decision.Allowed);
            WriteOptional(json, "reason", authorization.Decision.Reason.Length == 0 ? null : authorization.Decision.Reason);
            WriteList(json, "policies", authorization.Policies, WritePolicy);
            json.WriteStartArray("unknownPolicies");
            foreach (string key in authorization.Decision.UnknownPolicies)
                json.WriteStringValue(key);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void WritePolicy(Utf8JsonWriter json, PolicyExplanation policy)
    {
        json.WriteString("policy", policy.Policy.Key);
        json.WriteString("action", policy.Policy.Action.ToString());
        json.WriteString("scope", policy.Policy.Scope.ToString());
        json.WriteBoolean("dryRun", policy.Policy.DryRun);
        json.WriteBoolean("matches", policy.Matches);
        if (policy.Nearest is not { } nearest)
            return;
        json.WriteStartObject("nearestRule");
        json.WriteNumber("number", nearest.Number);
        WriteList(json, "missing", nearest.Missing, static (json, condition) =>
        {
            json.WriteString("field", condition.Field);
            json.WriteString("expected", condition.Expected);
            json.WriteString("found", condition.Found);
        });
        json.WriteEndObject();
    }

    private static void WriteCertificate(Utf8JsonWriter json, ExplanationReport report)
    {
        if (report.Certificate is not { } status)
            return;
        json.WriteStartObject("certificate");
        json.WriteString("identity", status.Identity.ToString());
        json.WriteString("state", status.State.ToString());
        WriteOptional(json, "error", status.Error);
        if (status.Certificate is { } certificate)
        {
            json.WriteString("notAfter", certificate.NotAfter.ToUniversalTime().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
            json.WriteNumber("roots", certificate.Roots.Length);
        }

        json.WriteEndObject();
    }

    private static void WriteIdentities(Utf8JsonWriter json, string name, IReadOnlyCollection<SpiffeId> identities)
    {
        if (identities.Count == 0)
            return;
        json.WriteStartArray(name);
        foreach (SpiffeId identity in identities)
            json.WriteStringValue(identity.ToString());
        json.WriteEndArray();
    }

    private static void WriteList<T>(Utf8JsonWriter json, string name, IReadOnlyList<T> items, Action<Utf8JsonWriter, T> write)
    {
        json.WriteStartArray(name);
        foreach (T item in items)
        {
            json.WriteStartObject();
            write(json, item);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteOptional(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
            json.WriteString(name, value);
    }
}
