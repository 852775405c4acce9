using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Authorization;

/// <summary>A <see cref="PolicyMatch"/> prepared for comparison. A null set is an absent condition.</summary>
internal sealed class CompiledMatch
{
    private readonly ushort[]? _notPorts;
    private readonly CidrSet? _notSources;
    private readonly CidrSet? _destinations;
    private readonly CidrSet? _notDestinations;
    private readonly (string Namespace, string ServiceAccount)[]? _notServiceAccounts;
    private readonly PrincipalSet? _notPrincipals;
    private readonly StringSet? _notNamespaces;

    private CompiledMatch(PolicyMatch match)
    {
        // Unreadable kinds of a DENY are left out, so that they always hold: it must not vanish.
        if (Reads(match, MatchKinds.DestinationPorts)) (Ports, _notPorts) = (Sorted(match.DestinationPorts), Sorted(match.NotDestinationPorts));
        if (Reads(match, MatchKinds.SourceIps)) (Sources, _notSources) = (CidrSet.Create(match.SourceIps), CidrSet.Create(match.NotSourceIps));
        if (Reads(match, MatchKinds.DestinationIps)) (_destinations, _notDestinations) = (CidrSet.Create(match.DestinationIps), CidrSet.Create(match.NotDestinationIps));
        if (Reads(match, MatchKinds.ServiceAccounts)) (ServiceAccounts, _notServiceAccounts) = (Pairs(match.ServiceAccounts), Pairs(match.NotServiceAccounts));
        if (Reads(match, MatchKinds.Principals)) (Principals, _notPrincipals) = (PrincipalSet.Create(match.Principals), PrincipalSet.Create(match.NotPrincipals));
        if (Reads(match, MatchKinds.Namespaces)) (Namespaces, _notNamespaces) = (StringSet.Create(match.Namespaces), StringSet.Create(match.NotNamespaces));
        SourcePrefixes = Reads(match, MatchKinds.SourceIps) ? match.SourceIps : default;
    }

    public ushort[]? Ports { get; }

    public CidrSet? Sources { get; }

    public ValueArray<Cidr> SourcePrefixes { get; }

    public (string Namespace, string ServiceAccount)[]? ServiceAccounts { get; }

    public PrincipalSet? Principals { get; }

    public StringSet? Namespaces { get; }

    /// <returns>Null for what can never match: no condition at all, or in an ALLOW one that could not be understood.</returns>
    public static CompiledMatch? Create(PolicyMatch match, PolicyAction action)
    {
        bool unreadable = match.Unreadable != MatchKinds.None;
        return match.IsEmpty || (unreadable && action == PolicyAction.Allow) ? null : new CompiledMatch(match);
    }

    // Cheapest first: most conditions fail, and one that fails ends it.
    public bool Matches(in MatchInput input) =>
        (Ports is null || Contains(Ports, input.DestinationPort))
        && (_notPorts is null || !Contains(_notPorts, input.DestinationPort))
        && (Principals is null || Principals.Contains(input.Identity))
        && (_notPrincipals is null || !_notPrincipals.Contains(input.Identity))
        && (Namespaces is null || Namespaces.Contains(input.Namespace))
        && (_notNamespaces is null || !_notNamespaces.Contains(input.Namespace))
        && (ServiceAccounts is null || Contains(ServiceAccounts, input.Identity))
        && (_notServiceAccounts is null || !Contains(_notServiceAccounts, input.Identity))
        && (Sources is null || Sources.Contains(input.Source))
        && (_notSources is null || !_notSources.Contains(input.Source))
        && (_destinations is null || _destinations.Contains(input.Destination))
        && (_notDestinations is null || !_notDestinations.Contains(input.Destination));

    private static bool Reads(PolicyMatch match, MatchKinds kind) => (match.Unreadable & kind) == 0;

    private static bool Contains(ushort[] ports, ushort port) => Array.BinarySearch(ports, port) >= 0;

    private static bool Contains((string Namespace, string ServiceAccount)[] accounts, SpiffeId? identity)
    {
        if (identity is null) return false;
        foreach ((string @namespace, string serviceAccount) in accounts)
        {
            if (serviceAccount == identity.ServiceAccount && @namespace == identity.Namespace) return true;
        }
        return false;
    }

    private static ushort[]? Sorted(ValueArray<ushort> ports) => ports.IsEmpty ? null : [.. ports.Order()];

    private static (string Namespace, string ServiceAccount)[]? Pairs(ValueArray<ServiceAccountMatch> accounts) =>
        accounts.IsEmpty ? null : [.. accounts.Select(static account => (account.Namespace, account.ServiceAccount))];
}
