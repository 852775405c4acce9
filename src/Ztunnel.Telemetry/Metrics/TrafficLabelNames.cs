using System.Collections.Immutable;

namespace Ztunnel.Telemetry.Metrics;

/// <summary>The names of the traffic labels, in the order in which they are written (data-path 8.3).</summary>
public static class TrafficLabelNames
{
    /// <summary>All of them.</summary>
    public static readonly ImmutableArray<string> All =
    [
        "reporter",
        "source_workload", "source_canonical_service", "source_canonical_revision", "source_workload_namespace", "source_principal", "source_app", "source_version", "source_cluster",
        "destination_service", "destination_service_namespace", "destination_service_name",
        "destination_workload", "destination_canonical_service", "destination_canonical_revision", "destination_workload_namespace", "destination_principal",
        "destination_app", "destination_version", "destination_cluster",
        "request_protocol", "response_flags", "connection_security_policy", "source_region", "source_zone", "destination_region", "destination_zone",
    ];

    /// <summary>The labels of on-demand DNS: who asks, and for which host name.</summary>
    internal static readonly ImmutableArray<string> OnDemandDns = [.. All.AsSpan(1, 8), "hostname"];

    /// <summary>Whether a setting may leave the label out. Without the reporter or the flag, series that mean opposite things would be added up.</summary>
    public static bool CanBeDropped(string name) => All.Contains(name) && name is not ("reporter" or "response_flags");
}
