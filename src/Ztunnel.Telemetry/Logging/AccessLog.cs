using Ztunnel.Telemetry.Failures;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Telemetry.Logging;

/// <summary>
/// The access log: one line for each connection, formatted straight into UTF-8 on the loop that ends it. The fields that parsers know come first, in their order; ours
/// (<c>response_flags</c>, <c>reason</c>, <c>trace_id</c>, <c>attempts</c>) stand at the end and only where they say something.
/// </summary>
/// <param name="sink">Where the lines go.</param>
/// <param name="levels">Which are written.</param>
/// <param name="failures">Keeps the failures, whether they are written or not; null for nobody.</param>
/// <param name="time">When they happened.</param>
public sealed class AccessLog(LogSink sink, LogLevels levels, FailureJournal? failures = null, TimeProvider? time = null)
{
    private readonly LogGate _gate = levels.GateOf(LogTarget.FromCategory("access"));

    public bool IsEnabled(LogSeverity severity) => _gate.IsOpen(severity);

    /// <summary>The end of a connection: info, or error when it failed.</summary>
    public void Complete(in AccessRecord record)
    {
        LogSeverity severity = record.Error is null ? LogSeverity.Info : LogSeverity.Error;
        if (record.Error is not null)
            failures?.Add(Describe(record));
        if (!_gate.IsOpen(severity))
            return;

        LogLine line = sink.Begin(severity, _gate.Target, []);
        line.Message("connection complete");
        AppendPeers(ref line, record);
        // The log speaks from where the reporter stands, the counters from where the client stands (data-path 8.6).
        bool outbound = record.Labels.Reporter == Reporter.Source;
        line.Field("bytes_sent"u8, outbound ? record.ReceivedBytes : record.SentBytes);
        line.Field("bytes_recv"u8, outbound ? record.SentBytes : record.ReceivedBytes);
        line.Milliseconds("duration"u8, record.Duration);
        if (record.Error is { } error)
            line.Field("error"u8, error);

        if (record.ResponseFlag != ResponseFlag.None)
            line.Field("response_flags"u8, ResponseFlagText.Word(record.ResponseFlag));
        AppendOurs(ref line, record.Reason, record.TraceId);
        if (record.Attempts > 1)
            line.Field("attempts"u8, record.Attempts);
        line.Complete(_gate.Target, []);
    }

    /// <summary>The beginning of a connection: debug.</summary>
    public void Opened(in AccessRecord record)
    {
        if (!_gate.IsOpen(LogSeverity.Debug))
            return;
        LogLine line = sink.Begin(LogSeverity.Debug, _gate.Target, []);
        line.Message("connection opened");
        AppendPeers(ref line, record);
        AppendOurs(ref line, reason: null, record.TraceId);
        line.Complete(_gate.Target, []);
    }

    /// <summary>A connection that failed before it was known what it is: warn, no metrics.</summary>
    public void Denied(in DenialRecord record)
    {
        failures?.Add(Describe(record));
        if (!_gate.IsOpen(LogSeverity.Warn))
            return;
        LogLine line = sink.Begin(LogSeverity.Warn, _gate.Target, []);
        line.Message("connection failed");
        line.Field("src.addr"u8, record.Source);
        if (record.Destination is { } destination)
            line.Field("dst.addr"u8, destination);
        line.Field("direction"u8, ReporterText.Direction(record.Reporter));
        line.Field("error"u8, record.Error);
        AppendOurs(ref line, record.Reason, record.TraceId);
        line.Complete(_gate.Target, []);
    }

    private ConnectionFailure Describe(in AccessRecord record) => new()
    {
        Time = Now,
        Reporter = record.Labels.Reporter,
        Source = record.Source,
        SourceWorkload = record.SourceWorkload ?? Known(record.Labels.Source.CanonicalService),
        Destination = record.Destination,
        HboneAuthority = record.HboneAuthority,
        Service = Known(record.Labels.Service.Hostname),
        DestinationWorkload = record.DestinationWorkload ?? Known(record.Labels.Destination.CanonicalService),
        Reason = record.Reason ?? "",
        Error = record.Error ?? "",
        Attempts = record.Attempts,
        Way = record.Way,
        Duration = record.Duration,
        TraceId = record.TraceId,
    };

    private ConnectionFailure Describe(in DenialRecord record) => new()
    {
        Time = Now,
        Reporter = record.Reporter,
        Source = record.Source,
        Destination = record.Destination,
        Reason = record.Reason ?? "",
        Error = record.Error,
        TraceId = record.TraceId,
    };

    private DateTimeOffset Now => (time ?? TimeProvider.System).GetUtcNow();

    private static string? Known(string value) => value.Length > 0 && value != WorkloadLabels.UnknownValue ? value : null;

    private static void AppendPeers(ref LogLine line, in AccessRecord record)
    {
        TrafficLabels labels = record.Labels;
        line.Field("src.addr"u8, record.Source);
        AppendKnown(ref line, "src.workload"u8, record.SourceWorkload ?? labels.Source.CanonicalService);
        AppendKnown(ref line, "src.namespace"u8, labels.Source.Namespace);
        if (labels.MutualTls)
            AppendKnown(ref line, "src.identity"u8, labels.SourcePrincipal);
        AppendKnown(ref line, "src.cluster"u8, labels.Source.Cluster);

        if (record.Destination is { } destination)
            line.Field("dst.addr"u8, destination);
        if (record.HboneAuthority is { } authority)
            line.BareField("dst.hbone_addr"u8, authority);
        AppendKnown(ref line, "dst.service"u8, labels.Service.Hostname);
        AppendKnown(ref line, "dst.workload"u8, record.DestinationWorkload ?? labels.Destination.CanonicalService);
        AppendKnown(ref line, "dst.namespace"u8, labels.Destination.Namespace);
        if (labels.MutualTls)
            AppendKnown(ref line, "dst.identity"u8, labels.DestinationPrincipal);
        AppendKnown(ref line, "dst.cluster"u8, labels.Destination.Cluster);
        line.Field("direction"u8, ReporterText.Direction(labels.Reporter));
    }

    private static void AppendKnown(ref LogLine line, ReadOnlySpan<byte> name, string value)
    {
        if (Known(value) is not null)
            line.Field(name, value);
    }

    private static void AppendOurs(ref LogLine line, string? reason, UInt128 traceId)
    {
        if (reason is not null)
            line.Field("reason"u8, reason);
        if (traceId != UInt128.Zero)
            line.Hex("trace_id"u8, traceId);
    }
}
