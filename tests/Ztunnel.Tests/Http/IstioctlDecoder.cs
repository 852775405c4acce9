using System.Globalization;
using System.Text.Json;

namespace Ztunnel.Tests.Http;

/// <summary>
/// Reads a dump as strictly as istioctl's decoders do (istio-integration 8.2): they ignore keys they do not know and accept null for every key, but one wrong type, or one value that does not fit, makes the whole command fail.
/// The members of each kind of object are a table: key, and what it must be.
/// </summary>
internal static class IstioctlDecoder
{
    private static readonly Dictionary<string, Rule> Gateway = new() { ["destination"] = Matching("[^/]*/.+") };

    private static readonly Dictionary<string, Rule> Workload = new()
    {
        ["uid"] = Text,
        ["protocol"] = OneOf("HBONE", "TCP"),
        ["name"] = Text,
        ["namespace"] = Text,
        ["serviceAccount"] = Text,
        ["workloadName"] = Text,
        ["workloadType"] = Matching("[a-z]*"),
        ["canonicalName"] = Text,
        ["canonicalRevision"] = Text,
        ["clusterId"] = Text,
        ["node"] = Text,
        ["status"] = OneOf("Healthy", "Unhealthy"),
        ["hostname"] = Text,
        ["trustDomain"] = Text,
        ["network"] = Text,
        ["workloadIps"] = ListOf(Matching("[0-9a-f.:]+")),
        ["waypoint"] = Object(Gateway),
        ["networkGateway"] = Object(Gateway),
        ["locality"] = Object(new() { ["region"] = Text, ["zone"] = Text, ["subzone"] = Text }),
        ["capacity"] = Number(uint.MaxValue),
        ["applicationTunnel"] = Object(new() { ["protocol"] = Text, ["port"] = Number(ushort.MaxValue) }),
        ["authorizationPolicies"] = ListOf(Matching("[^/]+/.+")),
    };

    private static readonly Dictionary<string, Rule> Service = new()
    {
        ["name"] = Text,
        ["namespace"] = Text,
        ["hostname"] = Text,
        ["vips"] = ListOf(Matching("[^/]*/[0-9a-f.:]+")),
        ["cidrVips"] = ListOf(Object(new() { ["cidr"] = Matching(".+/[0-9]+"), ["network"] = Text })),
        ["ports"] = MapOf(Number(int.MaxValue)),
        ["waypoint"] = Object(Gateway),
        ["subjectAltNames"] = ListOf(Text),
        ["ipFamilies"] = OneOf("Dual", "IPv4", "IPv6"),
        ["canonical"] = Flag,
        ["visibility"] = Text,
        ["endpoints"] = MapOf(Object(new() { ["workloadUid"] = Text, ["service"] = Text, ["port"] = MapOf(Number(ushort.MaxValue), numberKeys: true) })),
        ["loadBalancer"] = Object(new() { ["mode"] = Text, ["routingPreferences"] = ListOf(Text), ["healthPolicy"] = Text }),
    };

    private static readonly Rule StringMatch = Object(new() { ["Exact"] = Text, ["Prefix"] = Text, ["Suffix"] = Text, ["Presence"] = static (_, _) => { } });

    private static readonly Rule AccountMatch = Object(new() { ["namespace"] = Text, ["serviceAccount"] = Text });

    private static readonly Dictionary<string, Rule> Match = new()
    {
        ["namespaces"] = ListOf(StringMatch),
        ["notNamespaces"] = ListOf(StringMatch),
        ["principals"] = ListOf(StringMatch),
        ["notPrincipals"] = ListOf(StringMatch),
        ["sourceIps"] = ListOf(Matching(".+/[0-9]+")),
        ["notSourceIps"] = ListOf(Matching(".+/[0-9]+")),
        ["destinationIps"] = ListOf(Matching(".+/[0-9]+")),
        ["notDestinationIps"] = ListOf(Matching(".+/[0-9]+")),
        ["destinationPorts"] = ListOf(Number(ushort.MaxValue)),
        ["notDestinationPorts"] = ListOf(Number(ushort.MaxValue)),
        ["serviceAccounts"] = ListOf(AccountMatch),
        ["notServiceAccounts"] = ListOf(AccountMatch),
    };

    private static readonly Dictionary<string, Rule> Policy = new()
    {
        ["name"] = Text,
        ["namespace"] = Text,
        ["scope"] = OneOf("Global", "Namespace", "WorkloadSelector"),
        ["action"] = OneOf("Allow", "Deny"),
        ["rules"] = ListOf(ListOf(ListOf(Object(Match)))),
    };

    private static readonly Rule Certificate = Object(new() { ["pem"] = Base64, ["serialNumber"] = Matching("[0-9]+"), ["validFrom"] = Time, ["expirationTime"] = Time });

    private static readonly Dictionary<string, Rule> CertificateSet = new()
    {
        ["identity"] = Matching("spiffe://.+"),
        ["state"] = Matching("Available|Initializing|Unavailable: .+"),
        ["certChain"] = ListOf(Certificate),
        ["rootCerts"] = ListOf(Certificate),
    };

    private static readonly Rule Connection = Object(new() { ["src"] = Text, ["originalDst"] = Text, ["actualDst"] = Text, ["protocol"] = OneOf("HBONE", "TCP", "DOUBLEHBONE") });

    private static readonly Dictionary<string, Rule> Dump = new()
    {
        ["workloads"] = ListOf(Object(Workload)),
        ["services"] = ListOf(Object(Service)),
        ["policies"] = ListOf(Object(Policy)),
        ["certificates"] = ListOf(Object(CertificateSet)),
        ["workloadState"] = MapOf(Object(new()
        {
            ["state"] = Text,
            ["connections"] = Object(new() { ["inbound"] = ListOf(Connection), ["outbound"] = ListOf(Connection) }),
            ["info"] = Object(new() { ["name"] = Text, ["namespace"] = Text, ["trustDomain"] = Text, ["serviceAccount"] = Text }),
        })),
    };

    private delegate void Rule(JsonElement value, string path);

    /// <summary>Throws where istioctl would; the message names the place.</summary>
    public static void Read(JsonElement dump) => Object(Dump)(dump, "");

    private static Rule Object(Dictionary<string, Rule> members) => (value, path) =>
    {
        Require(value.ValueKind == JsonValueKind.Object, value, path, "an object");
        foreach (JsonProperty property in value.EnumerateObject())
        {
            // Keys are compared without regard to case.
            Rule? rule = members.FirstOrDefault(member => member.Key.Equals(property.Name, StringComparison.OrdinalIgnoreCase)).Value;
            if (property.Value.ValueKind != JsonValueKind.Null)
                rule?.Invoke(property.Value, $"{path}/{property.Name}");
        }
    };

    // A null among the items makes the tables panic.
    private static Rule ListOf(Rule item) => (value, path) =>
    {
        Require(value.ValueKind == JsonValueKind.Array, value, path, "a list");
        foreach ((int index, JsonElement element) in value.EnumerateArray().Index())
            item(element, $"{path}[{index}]");
    };

    private static Rule MapOf(Rule item, bool numberKeys = false) => (value, path) =>
    {
        Require(value.ValueKind == JsonValueKind.Object, value, path, "a map");
        foreach (JsonProperty property in value.EnumerateObject())
        {
            Require(!numberKeys || ushort.TryParse(property.Name, NumberStyles.None, CultureInfo.InvariantCulture, out _), property.Value, $"{path}/{property.Name}", "a key that is a port");
            item(property.Value, $"{path}/{property.Name}");
        }
    };

    private static Rule Number(long maximum) => (value, path) =>
        Require(value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) && number >= 0 && number <= maximum, value, path, $"a whole number up to {maximum}");

    private static Rule OneOf(params string[] words) => (value, path) => Require(value.ValueKind == JsonValueKind.String && words.Contains(value.GetString()), value, path, string.Join(" or ", words));

    private static Rule Matching(string pattern) => (value, path) =>
        Require(value.ValueKind == JsonValueKind.String && System.Text.RegularExpressions.Regex.IsMatch(value.GetString()!, $"^(?:{pattern})$"), value, path, $"text like {pattern}");

    private static void Text(JsonElement value, string path) => Require(value.ValueKind == JsonValueKind.String, value, path, "text");

    private static void Flag(JsonElement value, string path) => Require(value.ValueKind is JsonValueKind.True or JsonValueKind.False, value, path, "true or false");

    private static void Base64(JsonElement value, string path) => Require(value.TryGetBytesFromBase64(out byte[]? bytes) && bytes.AsSpan().StartsWith("-----BEGIN CERTIFICATE-----\n"u8), value, path, "PEM in base 64");

    private static void Time(JsonElement value, string path) =>
        Require(DateTimeOffset.TryParseExact(value.GetString(), "yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out _), value, path, "a time of RFC 3339");

    private static void Require(bool condition, JsonElement value, string path, string expected)
    {
        if (!condition)
            throw new InvalidDataException($"{path}: {value.GetRawText()} is not {expected}");
    }
}
