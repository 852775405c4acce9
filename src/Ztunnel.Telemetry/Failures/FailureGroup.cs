namespace Ztunnel.Telemetry.Failures;

/// <summary>Failures that differ in nothing but their time and the client's port.</summary>
/// <param name="Latest">The last of them.</param>
/// <param name="Count">How many there are.</param>
/// <param name="First">When they began.</param>
public sealed record FailureGroup(ConnectionFailure Latest, int Count, DateTimeOffset First)
{
    /// <summary>Gathers what is alike: a client that tries again a hundred times is one thing to look at, not a hundred.</summary>
    /// <param name="failures">Latest first.</param>
    /// <returns>The groups, by their latest failure, latest first.</returns>
    public static IReadOnlyList<FailureGroup> Gather(IEnumerable<ConnectionFailure> failures) =>
    [
        .. failures
            .GroupBy(static failure => (
                failure.Reporter, failure.Source.Address, failure.Destination, failure.HboneAuthority, failure.Service, failure.DestinationWorkload, failure.Reason, failure.Error))
            .Select(static group => new FailureGroup(group.First(), group.Count(), group.Last().Time)),
    ];
}
