using System.Net;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Telemetry.Logging;

/// <summary>What the access log says about one connection (data-path 9.2). Bytes and labels are those of its <see cref="TrafficConnection"/>.</summary>
public readonly ref struct AccessRecord
{
    public required TrafficLabels Labels { get; init; }

    /// <summary>The client.</summary>
    public required IPEndPoint Source { get; init; }

    /// <summary>Name (pod name) of the source workload's record, if there is one.</summary>
    public string? SourceWorkload { get; init; }

    /// <summary>Outbound: the address really dialled. Inbound tunnel: pod address and 15008. Passthrough: the original destination.</summary>
    public IPEndPoint? Destination { get; init; }

    /// <summary>The authority of the CONNECT; tunnels only.</summary>
    public string? HboneAuthority { get; init; }

    /// <summary>Name of the destination workload's record, if there is one.</summary>
    public string? DestinationWorkload { get; init; }

    /// <summary>Bytes from client to service.</summary>
    public long ReceivedBytes { get; init; }

    /// <summary>Bytes from service to client.</summary>
    public long SentBytes { get; init; }

    public TimeSpan Duration { get; init; }

    /// <summary>Null for success.</summary>
    public string? Error { get; init; }

    public ResponseFlag ResponseFlag { get; init; }

    /// <summary>The stable code of why it failed or was refused; null for success.</summary>
    public string? Reason { get; init; }

    /// <summary>Trace id of <c>traceparent</c>; zero for none.</summary>
    public UInt128 TraceId { get; init; }

    /// <summary>How many endpoints were tried; one is not worth mentioning.</summary>
    public int Attempts { get; init; }

    /// <summary>How the way to the peer looked when it failed, in one line; kept for those who ask, not logged.</summary>
    public string? Way { get; init; }
}

/// <summary>A connection that failed before it was known what it is (data-path 9.3).</summary>
public readonly ref struct DenialRecord
{
    public required Reporter Reporter { get; init; }

    public required IPEndPoint Source { get; init; }

    public IPEndPoint? Destination { get; init; }

    public required string Error { get; init; }

    /// <summary>The stable code of why.</summary>
    public string? Reason { get; init; }

    public UInt128 TraceId { get; init; }
}
