using System.Globalization;
using System.Text.Json;
using Ztunnel.Proxy.Connections;
using Ztunnel.Telemetry.Failures;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Http.Explain;

/// <summary>Failures that are alike, with what their reason means.</summary>
internal static class FailureJson
{
    public static void Write(Utf8JsonWriter json, FailureGroup group)
    {
        ConnectionFailure failure = group.Latest;
        json.WriteStartObject();
        json.WriteNumber("count", group.Count);
        json.WriteString("first", Text(group.First));
        json.WriteString("time", Text(failure.Time));
        json.WriteString("direction", ReporterText.Direction(failure.Reporter));
        json.WriteString("source", failure.Source.ToString());
        Write(json, "sourceWorkload", failure.SourceWorkload);
        Write(json, "destination", failure.Destination?.ToString());
        Write(json, "hboneAuthority", failure.HboneAuthority);
        Write(json, "service", failure.Service);
        Write(json, "destinationWorkload", failure.DestinationWorkload);
        json.WriteString("reason", failure.Reason);
        EndReasonEntry? meaning = Meaning(failure);
        Write(json, "fault", meaning?.Fault.ToString());
        Write(json, "check", meaning?.Advice);
        json.WriteString("error", failure.Error);
        Write(json, "tcp", failure.Way);
        json.WriteNumber("attempts", failure.Attempts);
        json.WriteNumber("durationMilliseconds", (long)failure.Duration.TotalMilliseconds);
        if (failure.TraceId != UInt128.Zero)
            json.WriteString("traceId", failure.TraceId.ToString("x32", CultureInfo.InvariantCulture));
        json.WriteEndObject();
    }

    /// <summary>The row of the table of reasons; null for a code that is not in it.</summary>
    public static EndReasonEntry? Meaning(ConnectionFailure failure) => EndReasons.All.FirstOrDefault(entry => entry.Code == failure.Reason);

    public static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);

    private static void Write(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
            json.WriteString(name, value);
    }
}
