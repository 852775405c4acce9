using System.Net;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Telemetry.Failures;

/// <summary>One connection that was refused or failed, as the access log told it.</summary>
public sealed record ConnectionFailure
{
    public required DateTimeOffset Time { get; init; }

    public required Reporter Reporter { get; init; }

    /// <summary>The client.</summary>
    public required IPEndPoint Source { get; init; }

    /// <summary>The pod's name where its record is known.</summary>
    public string? SourceWorkload { get; init; }

    /// <summary>The address dialled, or the original destination where nothing was dialled.</summary>
    public IPEndPoint? Destination { get; init; }

    public string? HboneAuthority { get; init; }

    /// <summary>Hostname of the service; null when there was none.</summary>
    public string? Service { get; init; }

    public string? DestinationWorkload { get; init; }

    /// <summary>The stable code of the reason.</summary>
    public required string Reason { get; init; }

    public required string Error { get; init; }

    /// <summary>Endpoints tried.</summary>
    public int Attempts { get; init; }

    /// <summary>What the kernel said of the tunnel's connection at that moment; null for failures without a tunnel.</summary>
    public string? Way { get; init; }

    public TimeSpan Duration { get; init; }

    public UInt128 TraceId { get; init; }
}
