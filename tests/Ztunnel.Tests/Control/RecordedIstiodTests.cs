using System.Globalization;
using System.IO.Pipelines;
using System.Text.Json.Nodes;
using Ztunnel.Http.Dump;
using Ztunnel.Istiod;
using Ztunnel.Istiod.Ads;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.Tests.Control;

/// <summary>
/// What a real istiod was recorded to send, played over the wire to the client as the daemon composes it: our requests and ACKs are the recorded ones, byte for byte after decoding, and our dump is the one the original
/// showed, field by field. What differs is listed below, with the reason.
/// </summary>
public sealed class RecordedIstiodTests : IAsyncDisposable
{
    private readonly ControlRig _rig = new();

    public ValueTask DisposeAsync() => _rig.DisposeAsync();

    [Theory]
    [InlineData("01-initial-wildcard", "")]
    [InlineData("30-multi-network-initial", "net-1")]
    public async Task FirstConnection_Played_RequestsAndDumpAreTheRecordedOnes(string folder, string network)
    {
        await using IstiodServer istiod = await StartAsync(network);
        XdsPeer peer = await istiod.AcceptAsync();

        await PlayAsync(peer, folder);
        await _rig.SyncedAsync();

        JsonObject recorded = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Fixtures, folder, "config_dump.json")))!.AsObject();
        JsonObject ours = await DumpAsync();
        DropExcludedEndpoints(ours["services"]!.AsArray());
        foreach (string section in (string[])["workloads", "services", "policies", "stagedServices"])
            AssertSame(section, recorded[section], ours[section]);
        AssertCertificatesAlike(recorded["certificates"]!.AsArray(), ours["certificates"]!.AsArray());
    }

    [Fact]
    public async Task Steps_PlayedOneAfterTheOther_EveryRequestIsTheRecordedOne()
    {
        await using IstiodServer istiod = await StartAsync(network: "");
        XdsPeer peer = await istiod.AcceptAsync();

        foreach (string folder in Directory.GetDirectories(Fixtures).Select(static path => Path.GetFileName(path)!).Where(static name => int.Parse(name[..2], CultureInfo.InvariantCulture) <= 14).Order(StringComparer.Ordinal))
        {
            // Two of the steps begin with the connection being cut.
            if (folder.Contains("reconnect", StringComparison.Ordinal))
            {
                peer.Abort();
                peer = await istiod.AcceptAsync();
            }

            await PlayAsync(peer, folder);
        }

        Assert.Contains(_rig.Mesh.Current.Workloads, static workload => workload.Uid == "Kubernetes//Pod/shop/cart-4");
    }

    private static string Fixtures { get; } = Path.Combine(AppContext.BaseDirectory, "Fixtures", "xds");

    private async Task<IstiodServer> StartAsync(string network)
    {
        foreach ((string name, string value) in ((string, string)[])
            [
                // The environment of the recording; the token and the addresses are the rig's.
                ("ISTIO_META_CLUSTER_ID", "Kubernetes"), ("ISTIO_META_ISTIO_VERSION", "1.31.0"), ("ISTIO_META_ENABLE_HBONE", "true"), ("POD_NAME", "ztunnel-a"), ("POD_NAMESPACE", "istio-system"),
                ("SERVICE_ACCOUNT", "ztunnel"), ("NODE_NAME", "node-a"), ("INSTANCE_IP", "10.10.1.2"), ("NETWORK", network),
            ])
        {
            _rig.With(name, value);
        }

        IstiodServer istiod = await _rig.StartByHandAsync();
        _rig.Without("ISTIO_META_DNS_CAPTURE").Start();
        return istiod;
    }

    /// <summary>Sends what istiod sent and takes what the original answered, in the recorded order.</summary>
    private static async Task PlayAsync(XdsPeer peer, string folder)
    {
        foreach (string path in Directory.GetFiles(Path.Combine(Fixtures, folder), "*-xds-*.binpb").Order(StringComparer.Ordinal))
        {
            byte[] message = await File.ReadAllBytesAsync(path);
            if (Path.GetFileName(path).Contains("xds-response", StringComparison.Ordinal))
            {
                await peer.SendAsync(DeltaDiscoveryResponse.Parser.ParseFrom(message));
                continue;
            }

            DeltaDiscoveryRequest expected = DeltaDiscoveryRequest.Parser.ParseFrom(message);
            // Difference: the original leaves the code of a NACK at 0, which means OK (W-33).
            if (expected.ErrorDetail is not null)
                expected.ErrorDetail.Code = 3;
            DeltaDiscoveryRequest actual = await peer.ReceiveAsync();
            Assert.True(expected.Equals(actual), $"{path}:\nrecorded {expected}\nours     {actual}");
        }
    }

    private async Task<JsonObject> DumpAsync()
    {
        var output = new MemoryStream();
        PipeWriter writer = PipeWriter.Create(output);
        await new ConfigDump(MeshSections.Create(_rig.Mesh, _rig.Certificates, () => _rig.Sources.LocalFile, BuildInfo.Create("1.31.0"))).WriteAsync(writer, CancellationToken.None);
        await writer.CompleteAsync();
        return JsonNode.Parse(output.ToArray())!.AsObject();
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
                Assert.True(expected.Count == actual.Count, $"{path}: recorded {expected.Count} items, ours {actual.Count}");
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

    /// <summary>Difference: keys were made anew, so that contents cannot be the same; whose they are, their form and their number can.</summary>
    private static void AssertCertificatesAlike(JsonArray recorded, JsonArray ours)
    {
        Assert.Equal(recorded.Select(static item => (string?)item!["identity"]), ours.Select(static item => (string?)item!["identity"]));
        foreach ((JsonNode? expected, JsonNode? actual) in recorded.Zip(ours))
            Assert.Equal(expected!.AsObject().Select(static pair => pair.Key), actual!.AsObject().Select(static pair => pair.Key));
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
