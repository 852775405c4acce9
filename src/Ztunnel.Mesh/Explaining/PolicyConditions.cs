using System.Globalization;
using System.Net;
using Ztunnel.Mesh.Authorization;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Mesh.Explaining;

/// <summary>Compares one match of a policy with a connection, condition by condition (control-path 6.4).</summary>
internal static class PolicyConditions
{
    private const string Nobody = "no identity (plain text)";

    /// <summary>The conditions that do not hold; none when the match matches.</summary>
    public static List<FailedCondition> FindFailed(PolicyMatch match, PolicyAction action, in PolicyConnection connection)
    {
        var failed = new List<FailedCondition>();
        if (match.IsEmpty)
        {
            failed.Add(new FailedCondition("match", "at least one condition", "none: an empty match never matches"));
            return failed;
        }
        if (match.Unreadable != MatchKinds.None && action == PolicyAction.Allow)
        {
            failed.Add(new FailedCondition("match", "conditions that can be understood", $"unreadable: {match.Unreadable}; in an ALLOW it never matches"));
            return failed;
        }

        SpiffeId? identity = connection.SourceIdentity;
        string principal = identity is null ? Nobody : identity.Principal.ToString();
        string account = identity is null ? Nobody : $"{identity.Namespace}/{identity.ServiceAccount}";
        string ofNamespace = identity?.Namespace ?? "";
        IPAddress source = connection.Source;
        IPEndPoint destination = connection.Destination;
        ushort port = (ushort)destination.Port;

        // What cannot be read in a DENY always holds, so that it does not vanish.
        if (Reads(MatchKinds.Principals))
            Compare("source.principals", "source.notPrincipals", match.Principals, match.NotPrincipals, entry => identity is not null && entry.Matches(identity.Principal), Describe, principal);
        if (Reads(MatchKinds.Namespaces))
            Compare("source.namespaces", "source.notNamespaces", match.Namespaces, match.NotNamespaces, entry => entry.Matches(ofNamespace), Describe, identity is null ? Nobody : ofNamespace);
        if (Reads(MatchKinds.ServiceAccounts))
        {
            Compare("source.serviceAccounts", "source.notServiceAccounts", match.ServiceAccounts, match.NotServiceAccounts,
                entry => identity is not null && entry.Namespace == identity.Namespace && entry.ServiceAccount == identity.ServiceAccount, static entry => $"{entry.Namespace}/{entry.ServiceAccount}", account);
        }
        if (Reads(MatchKinds.SourceIps))
            Compare("source.ipBlocks", "source.notIpBlocks", match.SourceIps, match.NotSourceIps, entry => entry.Contains(source), static entry => entry.ToString(), source.ToString());
        if (Reads(MatchKinds.DestinationIps))
        {
            Compare("destination.ipBlocks", "destination.notIpBlocks", match.DestinationIps, match.NotDestinationIps,
                entry => entry.Contains(destination.Address), static entry => entry.ToString(), destination.Address.ToString());
        }
        if (Reads(MatchKinds.DestinationPorts))
        {
            Compare("destination.ports", "destination.notPorts", match.DestinationPorts, match.NotDestinationPorts,
                entry => entry == port, static entry => entry.ToString(CultureInfo.InvariantCulture), port.ToString(CultureInfo.InvariantCulture));
        }
        return failed;

        bool Reads(MatchKinds kind) => (match.Unreadable & kind) == 0;

        void Compare<T>(string field, string negativeField, ValueArray<T> positive, ValueArray<T> negative, Func<T, bool> holds, Func<T, string?> describe, string found)
        {
            if (!positive.IsEmpty && !positive.Any(holds)) failed.Add(new FailedCondition(field, Join(positive, describe), found));
            if (negative.Any(holds)) failed.Add(new FailedCondition(negativeField, $"none of {Join(negative, describe)}", found));
        }
    }

    private static string Join<T>(ValueArray<T> entries, Func<T, string?> describe) =>
        entries.Count == 1 ? describe(entries[0])! : $"one of [{string.Join(", ", entries.Select(describe))}]";

    private static string Describe(StringMatch match) => match.Kind switch
    {
        StringMatchKind.Exact => match.Value,
        StringMatchKind.Prefix => $"{match.Value}*",
        StringMatchKind.Suffix => $"*{match.Value}",
        _ => "* (any identity)",
    };
}
