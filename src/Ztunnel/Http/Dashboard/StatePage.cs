using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Ztunnel.Http.Explain;
using Ztunnel.Lifetime;
using Ztunnel.Linux.Loop;
using Ztunnel.Mesh.State;
using Ztunnel.Proxy.Telemetry;
using Ztunnel.Serving;
using Ztunnel.Telemetry.Failures;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Http.Dashboard;

/// <summary>What the state page looks at.</summary>
public sealed record StateContext
{
    public required BuildInfo Build { get; init; }

    public required Readiness Readiness { get; init; }

    public required IMeshStore Mesh { get; init; }

    /// <summary>Where the mesh comes from, in a few words, and whether that source is answering.</summary>
    public required Func<(string Source, bool IsConnected)> ControlPlane { get; init; }

    public required Func<IReadOnlyList<CertificateStatus>> Certificates { get; init; }

    public required FailureJournal Failures { get; init; }

    public required LoopGroup Loops { get; init; }

    public required Func<IEnumerable<PodView>> Pods { get; init; }

    public required TimeProvider Time { get; init; }
}

/// <summary><c>/debug/state</c>: figures and lists of the moment as JSON, which the dashboard shows. Counts only grow; whoever asks twice has rates.</summary>
public sealed class StatePage(StateContext look) : IAdminPage
{
    private const int MaxFailures = 50;
    private const int MaxPods = 500;

    private readonly long _started = look.Time.GetTimestamp();

    public string Path => "debug/state";

    public string Description => "pods, traffic, certificates and latest failures as JSON: what this page shows";

    public Task AnswerAsync(HttpContext context)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output))
            Write(json);
        return context.AnswerTextAsync(StatusCodes.Status200OK, Encoding.UTF8.GetString(output.WrittenSpan), "application/json");
    }

    private void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("monotonicMilliseconds", (long)look.Time.GetElapsedTime(_started).TotalMilliseconds);
        json.WriteString("time", Text(look.Time.GetUtcNow()));
        json.WriteString("version", look.Build.Version);
        json.WriteString("revision", look.Build.GitRevision);
        json.WriteNumber("residentBytes", Environment.WorkingSet);
        json.WriteStartArray("pending");
        foreach (string task in look.Readiness.Pending)
            json.WriteStringValue(task);
        json.WriteEndArray();
        WriteMesh(json);
        WriteLoops(json);
        WritePods(json);
        WriteCertificates(json);
        json.WriteNumber("failureCount", look.Failures.Count);
        json.WriteStartArray("failures");
        foreach (FailureGroup failure in FailureGroup.Gather(look.Failures.Latest()).Take(MaxFailures))
            FailureJson.Write(json, failure);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteMesh(Utf8JsonWriter json)
    {
        MeshSnapshot mesh = look.Mesh.Current;
        (string source, bool isConnected) = look.ControlPlane();
        json.WriteStartObject("mesh");
        json.WriteString("source", source);
        json.WriteBoolean("connected", isConnected);
        json.WriteNumber("generation", mesh.Generation);
        json.WriteNumber("workloads", mesh.WorkloadCount);
        json.WriteNumber("services", mesh.ServiceCount);
        json.WriteNumber("policies", mesh.PolicyCount);
        json.WriteEndObject();
    }

    private void WriteLoops(Utf8JsonWriter json)
    {
        json.WriteStartArray("loops");
        foreach (EventLoop loop in look.Loops.Loops)
        {
            json.WriteStartObject();
            json.WriteNumber("busyNanoseconds", loop.Metrics.BusyNanoseconds);
            json.WriteNumber("currentTurnNanoseconds", loop.Metrics.CurrentTurnNanoseconds);
            json.WriteNumber("watched", loop.WatchCount);
            json.WriteNumber("armedTimers", loop.ArmedTimers);
            json.WriteNumber("rentedBytes", loop.Buffers.RentedBytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private void WritePods(Utf8JsonWriter json)
    {
        int count = 0;
        PodTrafficTotals inbound = default, outbound = default;
        json.WriteStartArray("pods");
        foreach (PodView pod in look.Pods())
        {
            inbound += pod.Inbound;
            outbound += pod.Outbound;
            if (++count <= MaxPods)
                Write(json, pod);
        }

        json.WriteEndArray();
        json.WriteNumber("podCount", count);
        Write(json, "inbound", inbound);
        Write(json, "outbound", outbound);
    }

    private static void Write(Utf8JsonWriter json, PodView pod)
    {
        json.WriteStartObject();
        json.WriteString("uid", pod.Pod.Uid);
        json.WriteString("name", pod.Pod.Name);
        json.WriteString("namespace", pod.Pod.Namespace);
        json.WriteString("serviceAccount", pod.Pod.ServiceAccount);
        json.WriteString("state", pod.State.ToString());
        if (pod.Failure is { } failure)
            json.WriteString("failure", failure);
        Write(json, "inbound", pod.Inbound);
        Write(json, "outbound", pod.Outbound);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, in PodTrafficTotals totals)
    {
        json.WriteStartObject(name);
        json.WriteNumber("open", totals.OpenConnections);
        json.WriteNumber("opened", totals.OpenedConnections);
        json.WriteNumber("failed", totals.FailedConnections);
        json.WriteNumber("receivedBytes", totals.ReceivedBytes);
        json.WriteNumber("sentBytes", totals.SentBytes);
        json.WriteEndObject();
    }

    private void WriteCertificates(Utf8JsonWriter json)
    {
        DateTimeOffset now = look.Time.GetUtcNow();
        json.WriteStartArray("certificates");
        foreach (CertificateStatus status in look.Certificates())
        {
            json.WriteStartObject();
            json.WriteString("identity", status.Identity.ToString());
            json.WriteString("state", status.State.ToString());
            if (status.Error is { } error)
                json.WriteString("error", error);
            if (status.Certificate is { } certificate)
            {
                json.WriteNumber("secondsLeft", (long)(certificate.NotAfter - now).TotalSeconds);
                json.WriteNumber("lifetimeSeconds", (long)(certificate.NotAfter - certificate.NotBefore).TotalSeconds);
            }

            if (status.NextRequest is { } next)
                json.WriteString("nextRequest", Text(next));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
}
