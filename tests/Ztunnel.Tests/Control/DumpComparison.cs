using System.Text.Json.Nodes;

namespace Ztunnel.Tests.Control;

/// <summary>Holds our dump against the original's, field by field. What may differ is said here, with the reason.</summary>
internal static class DumpComparison
{
    /// <summary>Workloads, services, policies and staged services.</summary>
    public static void AssertSameMesh(string step, JsonObject expected, JsonObject ours)
    {
        DropExcludedEndpoints(ours["services"]!.AsArray());
        foreach (string section in (string[])["workloads", "services", "policies", "stagedServices"])
            AssertSame($"{step}: {section}", expected[section], ours[section]);
    }

    /// <summary>Difference: keys were made anew, so that contents cannot be the same; whose they are, their form and their number can.</summary>
    public static void AssertCertificatesAlike(JsonArray recorded, JsonArray ours)
    {
        Assert.Equal(recorded.Select(static item => (string?)item!["identity"]), ours.Select(static item => (string?)item!["identity"]));
        foreach ((JsonNode? expected, JsonNode? actual) in recorded.Zip(ours))
            Assert.Equal(expected!.AsObject().Select(static pair => pair.Key), actual!.AsObject().Select(static pair => pair.Key));
    }

    private static void AssertSame(string path, JsonNode? recorded, JsonNode? ours)
    {
        switch (recorded, ours)
        {
            case (JsonObject expected, JsonObject actual):
                Assert.True(expected.Select(static pair => pair.Key).Order(StringComparer.Ordinal).SequenceEqual(actual.Select(static pair => pair.Key).Order(StringComparer.Ordinal)), $"{path}: recorded {expected.ToJsonString()}\nours {actual.ToJsonString()}");
                foreach ((string key, JsonNode? value) in expected)
                    AssertSame($"{path}.{key}", value, actual[key]);
                break;
            case (JsonArray expected, JsonArray actual):
                Assert.True(expected.Count == actual.Count, $"{path}: recorded {expected.Count} items, ours {actual.Count}: {expected.ToJsonString()}\nours {actual.ToJsonString()}");
                // Difference: equal keys may be listed in another order, and names inside a record come sorted here.
                foreach ((JsonNode? first, JsonNode? second) in Sorted(expected).Zip(Sorted(actual)))
                    AssertSame($"{path}[{Name(first)}]", first, second);
                break;
            default:
                Assert.True(JsonNode.DeepEquals(recorded, ours), $"{path}: recorded {recorded?.ToJsonString()}, ours {ours?.ToJsonString()}");
                break;
        }
    }

    /// <summary>Difference: we keep the endpoints that health excludes (W-11) and show them with their status; the original has forgotten them.</summary>
    private static void DropExcludedEndpoints(JsonArray services)
    {
        foreach (JsonNode? service in services)
        {
            if ((string?)service!["loadBalancer"]?["healthPolicy"] == "AllowAll")
                continue;
            JsonObject endpoints = service["endpoints"]!.AsObject();
            foreach (string uid in endpoints.Where(static endpoint => (string?)endpoint.Value!["status"] == "Unhealthy").Select(static endpoint => endpoint.Key).ToList())
                endpoints.Remove(uid);
        }
    }

    private static IEnumerable<JsonNode?> Sorted(JsonArray array) => array.OrderBy(static item => Name(item), StringComparer.Ordinal);

    private static string Name(JsonNode? item) => item switch
    {
        JsonObject record when record["uid"] is { } uid => (string)uid!,
        JsonObject record when record["hostname"] is { } hostname => $"{record["namespace"]}/{hostname}",
        JsonObject record when record["name"] is { } name => $"{record["namespace"]}/{name}",
        null => "",
        _ => item.ToJsonString(),
    };
}
