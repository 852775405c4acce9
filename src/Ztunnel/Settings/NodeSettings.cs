namespace Ztunnel.Settings;

/// <summary>Which node and pod this is, mostly from the downward API (control-path 2.2, "Node / pod identity").</summary>
public sealed record NodeSettings
{
    /// <summary>INSTANCE_IP, default 1.1.1.1.</summary>
    public string InstanceIp { get; init; } = "1.1.1.1";

    /// <summary>POD_NAME, default empty.</summary>
    public string PodName { get; init; } = "";

    /// <summary>POD_NAMESPACE, default empty.</summary>
    public string PodNamespace { get; init; } = "";

    /// <summary>SERVICE_ACCOUNT; with the two above it gives ztunnel an identity of its own.</summary>
    public string? ServiceAccount { get; init; }

    /// <summary>NODE_NAME: whose workloads are ours.</summary>
    public string? NodeName { get; init; }

    /// <summary>NETWORK, default empty.</summary>
    public string Network { get; init; } = "";

    /// <summary>Whether ztunnel itself is a known workload, whose metrics may be scraped through the mesh.</summary>
    public bool HasOwnWorkload => PodName.Length > 0 && PodNamespace.Length > 0 && !string.IsNullOrEmpty(ServiceAccount);

    public static NodeSettings Read(SettingReader reader) => new()
    {
        InstanceIp = reader.Text("INSTANCE_IP", "1.1.1.1"),
        PodName = reader.Text("POD_NAME", ""),
        PodNamespace = reader.Text("POD_NAMESPACE", ""),
        ServiceAccount = reader.OptionalText("SERVICE_ACCOUNT"),
        NodeName = reader.OptionalText("NODE_NAME"),
        Network = reader.Text("NETWORK", ""),
    };
}
