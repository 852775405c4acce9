namespace Ztunnel.Mesh.Propagation;

/// <summary>
/// The <c>baggage</c> header of a CONNECT or its answer, by which each side tells the other's telemetry about its workload (data-path 2.8). It is a claim, not a
/// proof: authorization never sees it. Absent parts are null.
/// </summary>
public sealed record Baggage
{
    public const string Name = "baggage";

    public static readonly Baggage Empty = new();

    public string? ClusterId { get; init; }

    public string? Namespace { get; init; }

    public string? WorkloadName { get; init; }

    /// <summary>Of the key that gave the name: <c>deployment</c>, <c>cronjob</c>, <c>pod</c>, <c>job</c>.</summary>
    public string? WorkloadType { get; init; }

    public string? CanonicalName { get; init; }

    public string? CanonicalRevision { get; init; }

    public string? Region { get; init; }

    public string? Zone { get; init; }

    /// <summary>Reads all header lines of the name. One that is not visible ASCII makes the whole absent; later values win; unknown keys are ignored; nothing is trimmed.</summary>
    public static Baggage Parse(params ReadOnlySpan<string> lines)
    {
        foreach (string line in lines)
        {
            if (!VisibleAscii.Is(line)) return Empty;
        }

        var baggage = Empty;
        foreach (string line in lines)
        {
            foreach (Range item in line.AsSpan().Split(',')) baggage = baggage.With(line.AsSpan(item));
        }
        return baggage;
    }

    private Baggage With(ReadOnlySpan<char> item)
    {
        int equals = item.IndexOf('=');
        if (equals < 0) return this;

        ReadOnlySpan<char> rest = item[(equals + 1)..];
        int end = rest.IndexOf('=');   // what follows a second sign belongs to nothing
        string? value = end < 0 ? Text(rest) : Text(rest[..end]);
        return item[..equals] switch
        {
            "k8s.cluster.name" => this with { ClusterId = value },
            "k8s.namespace.name" => this with { Namespace = value },
            "k8s.deployment.name" => this with { WorkloadName = value, WorkloadType = "deployment" },
            "k8s.cronjob.name" => this with { WorkloadName = value, WorkloadType = "cronjob" },
            "k8s.pod.name" => this with { WorkloadName = value, WorkloadType = "pod" },
            "k8s.job.name" => this with { WorkloadName = value, WorkloadType = "job" },
            "service.name" => this with { CanonicalName = value },
            "service.version" => this with { CanonicalRevision = value },
            "cloud.region" => this with { Region = value },
            "cloud.availability_zone" => this with { Zone = value },
            _ => this,
        };
    }

    private static string? Text(ReadOnlySpan<char> value) => value.IsEmpty ? null : value.ToString();
}
