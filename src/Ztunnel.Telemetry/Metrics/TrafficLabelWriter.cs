using System.Collections.Immutable;

namespace Ztunnel.Telemetry.Metrics;

/// <summary>Writes traffic labels in the order of data-path 8.3, leaving out those a setting drops.</summary>
internal sealed class TrafficLabelWriter
{
    private readonly ImmutableHashSet<string> _dropped;

    public TrafficLabelWriter(ImmutableHashSet<string> dropped)
    {
        if (dropped.FirstOrDefault(static name => !TrafficLabelNames.CanBeDropped(name)) is { } refused)
            throw new ArgumentException($"the label {refused} cannot be dropped", nameof(dropped));
        _dropped = dropped;
    }

    public void Write(ExpositionWriter writer, TrafficLabels labels, ResponseFlag flag)
    {
        WorkloadLabels source = labels.Source;
        WorkloadLabels destination = labels.Destination;
        Label(writer, "reporter", ReporterText.Label(labels.Reporter));
        WriteSource(writer, source, labels.SourcePrincipal);
        Label(writer, "destination_service", labels.Service.Hostname);
        Label(writer, "destination_service_namespace", labels.Service.Namespace);
        Label(writer, "destination_service_name", labels.Service.Name);
        Label(writer, "destination_workload", destination.Workload);
        Label(writer, "destination_canonical_service", destination.CanonicalService);
        Label(writer, "destination_canonical_revision", destination.CanonicalRevision);
        Label(writer, "destination_workload_namespace", destination.Namespace);
        Label(writer, "destination_principal", labels.DestinationPrincipal);
        Label(writer, "destination_app", destination.App);
        Label(writer, "destination_version", destination.Version);
        Label(writer, "destination_cluster", destination.Cluster);
        Label(writer, "request_protocol", "tcp");
        Label(writer, "response_flags", ResponseFlagText.Word(flag));
        Label(writer, "connection_security_policy", labels.MutualTls ? "mutual_tls" : WorkloadLabels.UnknownValue);
        Label(writer, "source_region", source.Region);
        Label(writer, "source_zone", source.Zone);
        Label(writer, "destination_region", destination.Region);
        Label(writer, "destination_zone", destination.Zone);
    }

    public void WriteSource(ExpositionWriter writer, WorkloadLabels source, string principal)
    {
        Label(writer, "source_workload", source.Workload);
        Label(writer, "source_canonical_service", source.CanonicalService);
        Label(writer, "source_canonical_revision", source.CanonicalRevision);
        Label(writer, "source_workload_namespace", source.Namespace);
        Label(writer, "source_principal", principal);
        Label(writer, "source_app", source.App);
        Label(writer, "source_version", source.Version);
        Label(writer, "source_cluster", source.Cluster);
    }

    private void Label(ExpositionWriter writer, string name, string value)
    {
        if (_dropped.Count == 0 || !_dropped.Contains(name))
            writer.Label(name, value);
    }
}
