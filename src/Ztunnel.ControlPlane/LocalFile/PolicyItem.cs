using Ztunnel.ControlPlane.LocalFile.Yaml;
using Ztunnel.Mesh.Collections;
using Ztunnel.Mesh.Model;

namespace Ztunnel.ControlPlane.LocalFile;

/// <summary>Reads one item of <c>policies</c> (control-path 2.5).</summary>
internal static class PolicyItem
{
    private const string StringMatchForms = "a string match: !Exact, !Prefix or !Suffix with a text, !Presence [], or a map such as {Exact: text}";

    private static readonly Words<PolicyScope> Scopes = new(
        ("Global", PolicyScope.Global), ("Namespace", PolicyScope.Namespace), ("WorkloadSelector", PolicyScope.WorkloadSelector));

    private static readonly Words<PolicyAction> Actions = new(("Allow", PolicyAction.Allow), ("Deny", PolicyAction.Deny));

    /// <summary>Null: it is not even a map. Otherwise what could be read; the file counts only if there was no problem.</summary>
    public static Policy? Read(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (MapFields.Open(node, path, problems) is not { } fields) return null;

        Policy policy = new()
        {
            Name = fields.RequiredText("name"),
            Namespace = fields.RequiredText("namespace"),
            Scope = fields.RequiredWord("scope", Scopes),
            Action = fields.RequiredWord("action", Actions),
            Rules = fields.List("rules", required: true, ReadRule).ToValueArray(),
            DryRun = fields.Required("dryRun") is { } dryRun && Values.AsBoolean(dryRun, path.Key("dryRun"), problems),
        };
        fields.RejectOthers();
        return policy;
    }

    private static PolicyRule ReadRule(YamlNode node, FieldPath path, ProblemList problems) => new(Values.AsList(node, path, problems, ReadClause).ToValueArray());

    private static PolicyClause ReadClause(YamlNode node, FieldPath path, ProblemList problems) => new(Values.AsList(node, path, problems, ReadMatch).ToValueArray());

    private static PolicyMatch ReadMatch(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (MapFields.Open(node, path, problems) is not { } fields) return new PolicyMatch();

        PolicyMatch match = new()
        {
            Namespaces = Read(ReadString, "namespaces"),
            NotNamespaces = Read(ReadString, "notNamespaces"),
            Principals = Read(ReadString, "principals"),
            NotPrincipals = Read(ReadString, "notPrincipals"),
            ServiceAccounts = Read(ReadServiceAccount, "serviceAccounts"),
            NotServiceAccounts = Read(ReadServiceAccount, "notServiceAccounts"),
            SourceIps = Read(AddressValues.Cidr, "sourceIps"),
            NotSourceIps = Read(AddressValues.Cidr, "notSourceIps"),
            DestinationIps = Read(AddressValues.Cidr, "destinationIps"),
            NotDestinationIps = Read(AddressValues.Cidr, "notDestinationIps"),
            DestinationPorts = Read(AddressValues.Port, "destinationPorts"),
            NotDestinationPorts = Read(AddressValues.Port, "notDestinationPorts"),
        };
        fields.RejectOthers();
        return match;

        ValueArray<T> Read<T>(Func<YamlNode, FieldPath, ProblemList, T> read, string key) => fields.List(key, required: false, read).ToValueArray();
    }

    private static ServiceAccountMatch ReadServiceAccount(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (MapFields.Open(node, path, problems) is not { } fields) return new ServiceAccountMatch("", "");

        ServiceAccountMatch match = new(fields.RequiredText("namespace"), fields.RequiredText("serviceAccount"));
        fields.RejectOthers();
        return match;
    }

    /// <summary>The tag form of the reference's YAML, or the map form of its JSON dump.</summary>
    private static StringMatch ReadString(YamlNode node, FieldPath path, ProblemList problems)
    {
        (string? kind, YamlNode value) = node switch
        {
            YamlMapping { Tag: null, Entries: [(var key, var only)] } => (key.Text, only),
            { Tag: { } tag } => (tag.TrimStart('!'), node with { Tag = null }),
            _ => (null, node),
        };
        StringMatch? match = (kind, value) switch
        {
            ("Exact", YamlScalar { Tag: null } text) => StringMatch.Exact(text.Text),
            ("Prefix", YamlScalar { Tag: null } text) => StringMatch.Prefix(text.Text),
            ("Suffix", YamlScalar { Tag: null } text) => StringMatch.Suffix(text.Text),
            ("Presence", YamlSequence { Tag: null, Items.Count: 0 } or YamlScalar { IsNull: true } or YamlMapping { Tag: null, Entries.Count: 0 }) => StringMatch.Presence,
            _ => null,
        };
        if (match is null) Values.Expected(StringMatchForms, node, path, problems);
        return match ?? StringMatch.Exact("");
    }
}
