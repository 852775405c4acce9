using System.Text.Json;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;

namespace Ztunnel.Http.Dump;

/// <summary>Policies as istioctl reads them: rules, clauses and matches as lists in lists in lists (control-path 9.2).</summary>
internal static class PolicyJson
{
    public static void Write(Utf8JsonWriter json, Policy policy)
    {
        json.WriteStartObject();
        json.WriteString("action", policy.Action.ToString());
        json.WriteBoolean("dryRun", policy.DryRun);
        json.WriteString("name", policy.Name);
        json.WriteString("namespace", policy.Namespace);
        json.WriteStartArray("rules");
        foreach (PolicyRule rule in policy.Rules)
        {
            json.WriteStartArray();
            foreach (PolicyClause clause in rule.Clauses)
            {
                json.WriteStartArray();
                foreach (PolicyMatch match in clause.Matches)
                    Write(json, match);
                json.WriteEndArray();
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteString("scope", policy.Scope.ToString());
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, PolicyMatch match)
    {
        json.WriteStartObject();
        WriteList(json, "destinationIps", match.DestinationIps, Write);
        WriteList(json, "destinationPorts", match.DestinationPorts, Write);
        WriteList(json, "namespaces", match.Namespaces, Write);
        WriteList(json, "notDestinationIps", match.NotDestinationIps, Write);
        WriteList(json, "notDestinationPorts", match.NotDestinationPorts, Write);
        WriteList(json, "notNamespaces", match.NotNamespaces, Write);
        WriteList(json, "notPrincipals", match.NotPrincipals, Write);
        WriteList(json, "notServiceAccounts", match.NotServiceAccounts, Write);
        WriteList(json, "notSourceIps", match.NotSourceIps, Write);
        WriteList(json, "principals", match.Principals, Write);
        WriteList(json, "serviceAccounts", match.ServiceAccounts, Write);
        WriteList(json, "sourceIps", match.SourceIps, Write);
        // Ours: an operator must see that a condition was not understood and fails closed.
        if (match.Unreadable != MatchKinds.None)
            json.WriteString("unreadable", match.Unreadable.ToString());
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, Cidr cidr) => json.WriteStringValue(cidr.ToString());

    private static void Write(Utf8JsonWriter json, ushort port) => json.WriteNumberValue(port);

    private static void Write(Utf8JsonWriter json, ServiceAccountMatch match)
    {
        json.WriteStartObject();
        json.WriteString("namespace", match.Namespace);
        json.WriteString("serviceAccount", match.ServiceAccount);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, StringMatch match)
    {
        json.WriteStartObject();
        json.WritePropertyName(match.Kind.ToString());
        if (match.Kind == StringMatchKind.Presence)
        {
            json.WriteStartArray();
            json.WriteEndArray();
        }
        else
        {
            json.WriteStringValue(match.Value);
        }

        json.WriteEndObject();
    }

    private static void WriteList<T>(Utf8JsonWriter json, string name, ValueArray<T> items, Action<Utf8JsonWriter, T> write)
    {
        if (items.IsEmpty)
            return;
        json.WriteStartArray(name);
        foreach (T item in items)
            write(json, item);
        json.WriteEndArray();
    }
}
