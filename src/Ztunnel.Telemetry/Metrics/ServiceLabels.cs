namespace Ztunnel.Telemetry.Metrics;

/// <summary>What the traffic labels say about the destination service.</summary>
public sealed record ServiceLabels
{
    public static readonly ServiceLabels Unknown = new(null, null, null);

    public ServiceLabels(string? hostname, string? @namespace, string? name)
    {
        Hostname = WorkloadLabels.OrUnknown(hostname);
        Namespace = WorkloadLabels.OrUnknown(@namespace);
        Name = WorkloadLabels.OrUnknown(name);
    }

    public string Hostname { get; }

    public string Namespace { get; }

    public string Name { get; }
}
