using System.Buffers;
using System.Net;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Explaining;
using Ztunnel.Mesh.Routing;
using Ztunnel.Mesh.State;
using Ztunnel.Telemetry.Failures;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Http.Explain;

/// <summary>What the page asks.</summary>
/// <param name="Mesh">The state of now.</param>
/// <param name="Routing">Own settings of routing.</param>
/// <param name="Policies">Own settings of authorization.</param>
/// <param name="Load">What is known of the endpoints.</param>
/// <param name="Certificates">What is held for an identity.</param>
/// <param name="Failures">The latest failures.</param>
/// <param name="Time">The clock.</param>
public sealed record ExplainContext(
    IMeshStore Mesh, RoutingContext Routing, PolicySettings Policies, Func<Task<ILoadView>> Load, Func<IReadOnlyList<CertificateStatus>> Certificates, FailureJournal Failures, TimeProvider Time);

/// <summary>
/// <c>/debug/explain?source=WORKLOAD&amp;destination=HOST:PORT[&amp;format=json]</c>: what would become of the connection, and why, by the state of now and without traffic. 400 names what
/// cannot be read or found.
/// </summary>
public sealed class ExplainPage(ExplainContext ask) : IAdminPage
{
    /// <summary>Tells programs the verdict whatever the format: true or false.</summary>
    public const string DeliveredHeader = "ztunnel-delivered";

    private const int MaxFailures = 10;

    // A loop's turn takes milliseconds; one that is stuck is an answer of its own.
    private static readonly TimeSpan LoopLimit = TimeSpan.FromSeconds(2);

    public string Path => "debug/explain";

    public string Description => "explain what would become of a connection: ?source=namespace/name&amp;destination=host:port[&amp;format=json]";

    public async Task AnswerAsync(HttpContext context)
    {
        string format = context.Query("format") ?? "text";
        if (format is not ("text" or "json"))
        {
            await context.AnswerTextAsync(StatusCodes.Status400BadRequest, $"format: \"{format}\" is not known; expected text or json\n").ConfigureAwait(false);
            return;
        }

        if (!QuestionReader.TryRead(ask.Mesh.Current, ask.Routing.Network, context.Query("source"), context.Query("destination"), out ConnectionQuestion? question, out string? mistake))
        {
            await context.AnswerTextAsync(StatusCodes.Status400BadRequest, mistake + "\n").ConfigureAwait(false);
            return;
        }

        ILoadView load = await ask.Load().WaitAsync(LoopLimit, ask.Time, context.RequestAborted).ConfigureAwait(false);
        ExplanationReport report = Explain(question, load);
        context.Response.Headers[DeliveredHeader] = report.Obstacle is null ? "true" : "false";
        await (format == "text"
            ? context.AnswerTextAsync(StatusCodes.Status200OK, ReportText.Write(report))
            : context.AnswerTextAsync(StatusCodes.Status200OK, Json(report), "application/json")).ConfigureAwait(false);
    }

    private ExplanationReport Explain(ConnectionQuestion question, ILoadView load)
    {
        // Each loop decides by what it knows itself; here all of it counts, and the draw among equals is the first.
        ConnectionExplanation explanation = ConnectionExplainer.Explain(ask.Mesh.Current, ask.Routing, ask.Policies, question, FirstChoice.Instance, load);
        CertificateStatus? certificate = ask.Certificates().FirstOrDefault(status => status.Identity.Equals(question.Source.Identity));
        FailureGroup[] failures = [.. FailureGroup.Gather(ask.Failures.Latest().Where(failure => IsOnTheWay(failure, explanation))).Take(MaxFailures)];
        return new ExplanationReport(explanation, certificate, failures, ask.Time.GetUtcNow());
    }

    private static bool IsOnTheWay(ConnectionFailure failure, ConnectionExplanation explanation)
    {
        if (!failure.Source.Address.Equals(explanation.Question.SourceAddress))
            return false;
        return (failure.Service is not null && failure.Service == explanation.Service?.Hostname)
            || failure.HboneAuthority == explanation.Question.Destination.ToString()
            || IsTo(failure, explanation.Question.Destination)
            || explanation.Hops.Any(hop => (hop.Address is not null && IsTo(failure, hop.Address)) || (hop.Authority.Length > 0 && failure.HboneAuthority == hop.Authority));
    }

    private static bool IsTo(ConnectionFailure failure, IPEndPoint destination) => destination.Equals(failure.Destination);

    private static string Json(ExplanationReport report)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            ReportJson.Write(json, report);
        return System.Text.Encoding.UTF8.GetString(output.WrittenSpan) + "\n";
    }

    private sealed class FirstChoice : IRandom
    {
        public static readonly FirstChoice Instance = new();

        public ulong Next(ulong bound) => 0;
    }
}
