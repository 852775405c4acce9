using System.Globalization;
using Google.Protobuf.Collections;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;
using Wire = Ztunnel.Protos.Security;

namespace Ztunnel.ControlPlane.Xds.Translation;

/// <summary>Turns a policy of the wire into one of the model (control-path 4.3).</summary>
/// <remarks>
/// An entry that cannot be understood does not reject the policy: its kind of condition is marked unreadable, which an ALLOW answers with no and a DENY with yes, and the
/// control plane is told (control-path 12, W-2). Dropping it, as the reference does, would let an ALLOW admit more than was written.
/// </remarks>
internal sealed class PolicyTranslator
{
    private readonly List<string> _problems = [];
    private MatchKinds _unreadable;   // of the match at hand

    private PolicyTranslator()
    {
    }

    /// <param name="wire">The policy.</param>
    /// <param name="problems">What could not be understood, though the policy is in force.</param>
    /// <exception cref="RejectedResourceException">The policy cannot be used at all.</exception>
    public static Policy Translate(Wire.Authorization wire, out IReadOnlyList<string> problems)
    {
        PolicyTranslator translator = new();
        Policy policy = new()
        {
            Name = wire.Name,
            Namespace = wire.Namespace,
            Scope = wire.Scope switch
            {
                Wire.Scope.Global => PolicyScope.Global,
                Wire.Scope.Namespace => PolicyScope.Namespace,
                Wire.Scope.WorkloadSelector => PolicyScope.WorkloadSelector,
                _ => throw Fields.UnknownEnum("scope", (int)wire.Scope),
            },
            Action = wire.Action switch
            {
                Wire.Action.Allow => PolicyAction.Allow,
                Wire.Action.Deny => PolicyAction.Deny,
                _ => throw Fields.UnknownEnum("action", (int)wire.Action),
            },
            DryRun = wire.DryRun,
            Rules = wire.Rules.Select(translator.Rule).ToValueArray(),
        };
        problems = translator._problems;
        return policy;
    }

    private PolicyRule Rule(Wire.Rule rule) => new(rule.Clauses.Select(Clause).ToValueArray());

    private PolicyClause Clause(Wire.Clause clause) => new(clause.Matches.Select(Match).ToValueArray());

    private PolicyMatch Match(Wire.Match match)
    {
        _unreadable = MatchKinds.None;
        PolicyMatch translated = new()
        {
            Namespaces = Strings(match.Namespaces, "namespaces", MatchKinds.Namespaces),
            NotNamespaces = Strings(match.NotNamespaces, "not_namespaces", MatchKinds.Namespaces),
            Principals = Strings(match.Principals, "principals", MatchKinds.Principals),
            NotPrincipals = Strings(match.NotPrincipals, "not_principals", MatchKinds.Principals),
            ServiceAccounts = Accounts(match.ServiceAccounts),
            NotServiceAccounts = Accounts(match.NotServiceAccounts),
            SourceIps = Prefixes(match.SourceIps, "source_ips", MatchKinds.SourceIps),
            NotSourceIps = Prefixes(match.NotSourceIps, "not_source_ips", MatchKinds.SourceIps),
            DestinationIps = Prefixes(match.DestinationIps, "destination_ips", MatchKinds.DestinationIps),
            NotDestinationIps = Prefixes(match.NotDestinationIps, "not_destination_ips", MatchKinds.DestinationIps),
            DestinationPorts = Ports(match.DestinationPorts, "destination_ports"),
            NotDestinationPorts = Ports(match.NotDestinationPorts, "not_destination_ports"),
        };
        return _unreadable == MatchKinds.None ? translated : translated with { Unreadable = _unreadable };
    }

    private ValueArray<StringMatch> Strings(RepeatedField<Wire.StringMatch> matches, string field, MatchKinds kind) => Read(matches, field, kind, static match => match.MatchTypeCase switch
    {
        Wire.StringMatch.MatchTypeOneofCase.Exact => StringMatch.Exact(match.Exact),
        Wire.StringMatch.MatchTypeOneofCase.Prefix => StringMatch.Prefix(match.Prefix),
        Wire.StringMatch.MatchTypeOneofCase.Suffix => StringMatch.Suffix(match.Suffix),
        Wire.StringMatch.MatchTypeOneofCase.Presence => StringMatch.Presence,
        _ => throw new RejectedResourceException("a string match of no known kind"),
    });

    private ValueArray<Cidr> Prefixes(RepeatedField<Wire.Address> prefixes, string field, MatchKinds kind) => Read(prefixes, field, kind, static prefix =>
    {
        System.Net.IPAddress address = Fields.Address(prefix.Address_);
        return Cidr.Create(address, prefix.Length) ?? throw new RejectedResourceException($"invalid cidr: {address}/{prefix.Length.ToString(CultureInfo.InvariantCulture)}");
    });

    private ValueArray<ushort> Ports(RepeatedField<uint> ports, string field) => Read(ports, field, MatchKinds.DestinationPorts, Fields.Port);

    private static ValueArray<ServiceAccountMatch> Accounts(RepeatedField<Wire.ServiceAccountMatch> accounts) =>
        accounts.Select(static account => new ServiceAccountMatch(account.Namespace, account.ServiceAccount)).ToValueArray();

    private ValueArray<TModel> Read<TWire, TModel>(RepeatedField<TWire> entries, string field, MatchKinds kind, Func<TWire, TModel> read)
    {
        if (entries.Count == 0) return [];

        List<TModel> understood = new(entries.Count);
        foreach (TWire entry in entries)
        {
            try
            {
                understood.Add(read(entry));
            }
            catch (RejectedResourceException unreadable)
            {
                _unreadable |= kind;
                _problems.Add($"{field}: {unreadable.Message}");
            }
        }
        return understood.ToValueArray();
    }
}
