namespace Ztunnel.Telemetry.Metrics;

/// <summary>
/// What the traffic labels say about one workload. Immutable and equal by value; the hash is computed once, so the owner of a workload record may keep one of these beside it.
/// </summary>
public sealed class WorkloadLabels : IEquatable<WorkloadLabels>
{
    /// <summary>The value of every label whose source is missing or empty.</summary>
    public const string UnknownValue = "unknown";

    /// <summary>Nothing is known.</summary>
    public static readonly WorkloadLabels Unknown = new(null, null, null, null, null, null, null, null, null);

    private readonly int _hash;

    private WorkloadLabels(string? workload, string? canonicalService, string? canonicalRevision, string? @namespace, string? app, string? version, string? cluster, string? region, string? zone)
    {
        Workload = OrUnknown(workload);
        CanonicalService = OrUnknown(canonicalService);
        CanonicalRevision = OrUnknown(canonicalRevision);
        Namespace = OrUnknown(@namespace);
        App = OrUnknown(app);
        Version = OrUnknown(version);
        Cluster = OrUnknown(cluster);
        Region = OrUnknown(region);
        Zone = OrUnknown(zone);
        _hash = HashCode.Combine(Workload, Namespace, CanonicalService, CanonicalRevision, App, Cluster, Zone);
    }

    public string Workload { get; }

    public string CanonicalService { get; }

    public string CanonicalRevision { get; }

    public string Namespace { get; }

    public string App { get; }

    public string Version { get; }

    public string Cluster { get; }

    public string Region { get; }

    public string Zone { get; }

    /// <summary>From a workload record: the app is its canonical name.</summary>
    public static WorkloadLabels FromRecord(
        string? workloadName, string? canonicalName, string? canonicalRevision, string? @namespace, string? cluster, string? region, string? zone) =>
        new(workloadName, canonicalName, canonicalRevision, @namespace, canonicalName, canonicalRevision, cluster, region, zone);

    /// <summary>From what a peer says in <c>baggage</c>: the app is the workload name (data-path 8.3).</summary>
    public static WorkloadLabels FromBaggage(
        string? workloadName, string? canonicalName, string? canonicalRevision, string? @namespace, string? cluster, string? region, string? zone) =>
        new(workloadName, canonicalName, canonicalRevision, @namespace, workloadName, canonicalRevision, cluster, region, zone);

    public bool Equals(WorkloadLabels? other) =>
        ReferenceEquals(this, other)
        || (other is not null && _hash == other._hash
            && Workload == other.Workload && CanonicalService == other.CanonicalService && CanonicalRevision == other.CanonicalRevision && Namespace == other.Namespace
            && App == other.App && Version == other.Version && Cluster == other.Cluster && Region == other.Region && Zone == other.Zone);

    public override bool Equals(object? obj) => Equals(obj as WorkloadLabels);

    public override int GetHashCode() => _hash;

    internal static string OrUnknown(string? value) => string.IsNullOrEmpty(value) ? UnknownValue : value;

    /// <summary>The same without the labels that <paramref name="isDropped"/> names (with the prefix <c>source_</c> or <c>destination_</c>).</summary>
    internal WorkloadLabels Without(string prefix, Func<string, bool> isDropped)
    {
        string? Keep(string name, string value) => isDropped(prefix + name) ? null : value;
        return new(
            Keep("workload", Workload), Keep("canonical_service", CanonicalService), Keep("canonical_revision", CanonicalRevision), Keep("workload_namespace", Namespace),
            Keep("app", App), Keep("version", Version), Keep("cluster", Cluster), Keep("region", Region), Keep("zone", Zone));
    }
}
