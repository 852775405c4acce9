using Google.Protobuf.WellKnownTypes;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;
using Wire = Ztunnel.Protos.Security;

namespace Ztunnel.Istiod.Mesh;

/// <summary>Policies as istiod puts them on the wire (istio-integration 4.8).</summary>
internal static class PolicyWriter
{
    public static Wire.Authorization Write(Policy policy) => new()
    {
        Name = policy.Name,
        Namespace = policy.Namespace,
        Scope = (Wire.Scope)policy.Scope,
        Action = (Wire.Action)policy.Action,
        DryRun = policy.DryRun,
        Rules = { policy.Rules.Select(static rule => new Wire.Rule { Clauses = { rule.Clauses.Select(static clause => new Wire.Clause { Matches = { clause.Matches.Select(Write) } }) } }) },
    };

    private static Wire.Match Write(PolicyMatch match) => new()
    {
        Namespaces = { Strings(match.Namespaces) },
        NotNamespaces = { Strings(match.NotNamespaces) },
        Principals = { Strings(match.Principals) },
        NotPrincipals = { Strings(match.NotPrincipals) },
        ServiceAccounts = { Accounts(match.ServiceAccounts) },
        NotServiceAccounts = { Accounts(match.NotServiceAccounts) },
        SourceIps = { Prefixes(match.SourceIps) },
        NotSourceIps = { Prefixes(match.NotSourceIps) },
        DestinationIps = { Prefixes(match.DestinationIps) },
        NotDestinationIps = { Prefixes(match.NotDestinationIps) },
        DestinationPorts = { match.DestinationPorts.Select(static port => (uint)port) },
        NotDestinationPorts = { match.NotDestinationPorts.Select(static port => (uint)port) },
    };

    private static IEnumerable<Wire.StringMatch> Strings(ValueArray<StringMatch> matches) => matches.Select(static match => match.Kind switch
    {
        StringMatchKind.Exact => new Wire.StringMatch { Exact = match.Value },
        StringMatchKind.Prefix => new Wire.StringMatch { Prefix = match.Value },
        StringMatchKind.Suffix => new Wire.StringMatch { Suffix = match.Value },
        _ => new Wire.StringMatch { Presence = new Empty() },
    });

    private static IEnumerable<Wire.ServiceAccountMatch> Accounts(ValueArray<ServiceAccountMatch> accounts) =>
        accounts.Select(static account => new Wire.ServiceAccountMatch { Namespace = account.Namespace, ServiceAccount = account.ServiceAccount });

    private static IEnumerable<Wire.Address> Prefixes(ValueArray<Cidr> prefixes) =>
        prefixes.Select(static prefix => new Wire.Address { Address_ = WorkloadWriter.Bytes(prefix.Address), Length = (uint)prefix.PrefixLength });
}
