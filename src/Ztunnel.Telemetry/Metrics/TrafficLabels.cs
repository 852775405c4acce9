namespace Ztunnel.Telemetry.Metrics;

/// <summary>
/// The labels of one connection's series (data-path 8.3), all but the response flag. Immutable, equal by value, hashed once; built once for a connection.
/// </summary>
public sealed class TrafficLabels : IEquatable<TrafficLabels>
{
    private readonly int _hash;

    /// <param name="reporter">Which side we are.</param>
    /// <param name="source">The source workload.</param>
    /// <param name="sourcePrincipal">The authenticated (or, outbound, to be authenticated) SPIFFE identity; never one guessed from an address.</param>
    /// <param name="destination">The destination workload: the next hop, or the local workload.</param>
    /// <param name="destinationPrincipal">The destination workload's identity whenever that workload is known.</param>
    /// <param name="service">The service the client meant.</param>
    /// <param name="mutualTls">Whether the connection goes through a tunnel: <c>connection_security_policy</c>.</param>
    public TrafficLabels(
        Reporter reporter, WorkloadLabels? source, string? sourcePrincipal, WorkloadLabels? destination, string? destinationPrincipal, ServiceLabels? service, bool mutualTls)
    {
        Reporter = reporter;
        Source = source ?? WorkloadLabels.Unknown;
        SourcePrincipal = WorkloadLabels.OrUnknown(sourcePrincipal);
        Destination = destination ?? WorkloadLabels.Unknown;
        DestinationPrincipal = WorkloadLabels.OrUnknown(destinationPrincipal);
        Service = service ?? ServiceLabels.Unknown;
        MutualTls = mutualTls;
        _hash = HashCode.Combine(reporter, Source, SourcePrincipal, Destination, DestinationPrincipal, Service.Hostname, mutualTls);
    }

    public Reporter Reporter { get; }

    public WorkloadLabels Source { get; }

    public string SourcePrincipal { get; }

    public WorkloadLabels Destination { get; }

    public string DestinationPrincipal { get; }

    public ServiceLabels Service { get; }

    public bool MutualTls { get; }

    public bool Equals(TrafficLabels? other) =>
        ReferenceEquals(this, other)
        || (other is not null && _hash == other._hash && Reporter == other.Reporter && MutualTls == other.MutualTls
            && Source.Equals(other.Source) && Destination.Equals(other.Destination) && Service.Equals(other.Service)
            && SourcePrincipal == other.SourcePrincipal && DestinationPrincipal == other.DestinationPrincipal);

    public override bool Equals(object? obj) => Equals(obj as TrafficLabels);

    public override int GetHashCode() => _hash;

    /// <summary>The same with everything <c>unknown</c> that is not to be exported, so that series differing only there become equal.</summary>
    internal TrafficLabels Without(Func<string, bool> isDropped)
    {
        string? Keep(string name, string value) => isDropped(name) ? null : value;
        return new(
            Reporter,
            Source.Without("source_", isDropped), Keep("source_principal", SourcePrincipal),
            Destination.Without("destination_", isDropped), Keep("destination_principal", DestinationPrincipal),
            new ServiceLabels(
                Keep("destination_service", Service.Hostname), Keep("destination_service_namespace", Service.Namespace), Keep("destination_service_name", Service.Name)),
            MutualTls && !isDropped("connection_security_policy"));
    }
}
