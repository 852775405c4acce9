using System.IO.Pipelines;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.Http.Dump;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.State;
using Ztunnel.Settings;
using Ztunnel.Tests.Settings;
using Ztunnel.Tls.Certificates;

namespace Ztunnel.Tests.Http;

/// <summary>The dump against a recorded one of the existing program with the same mesh file and environment.</summary>
public sealed class ConfigDumpTests
{
    [Theory]
    [InlineData("workloads")]
    [InlineData("services")]
    [InlineData("policies")]
    [InlineData("stagedServices")]
    [InlineData("staticConfig")]
    public async Task Dump_MeshOfReferenceRun_IsTheSame(string section)
    {
        JsonNode expected = Recorded()[section]!;
        JsonNode actual = (await DumpAsync())[section]!;

        // Difference: workloads of the file name their services as those of xDS do; the original shows them for xDS only.
        if (section == "workloads")
        {
            foreach (JsonNode? workload in actual.AsArray())
                workload!.AsObject().Remove("services");
        }

        // staticConfig lists what the file lists, in its order; the recorded one had another order of services.
        Assert.True(JsonNode.DeepEquals(Sorted(expected), Sorted(actual)), $"expected {expected}\nactual {actual}");
    }

    [Fact]
    public async Task Dump_SettingsOfReferenceRun_AreTheSame()
    {
        JsonObject expected = Recorded()["config"]!.AsObject();
        JsonObject actual = (await DumpAsync())["config"]!.AsObject();

        // What upstream's resolver library is set to is no setting of ours.
        foreach (string foreign in (string[])["dnsResolverCfg", "dnsResolverOpts"])
            expected.Remove(foreign);
        Assert.Equal(expected.Select(static pair => pair.Key).Order(StringComparer.Ordinal), actual.Select(static pair => pair.Key).Order(StringComparer.Ordinal));
        foreach ((string key, JsonNode? value) in expected)
            Assert.True(JsonNode.DeepEquals(Sorted(value), Sorted(actual[key])), $"{key}: expected {value}, actual {actual[key]}");
    }

    [Fact]
    public async Task Dump_TopLevel_HasKeysInAlphabeticalOrder()
    {
        JsonObject dump = (await DumpAsync()).AsObject();

        Assert.Equal(["certificates", "config", "policies", "services", "stagedServices", "staticConfig", "version", "workloads"], dump.Select(static pair => pair.Key));
        Assert.Empty(dump["certificates"]!.AsArray());
        Assert.Equal("tls-openssl", (string?)dump["version"]!["cryptoProvider"]);
    }

    [Fact]
    public async Task Dump_HeaderSecrets_AreRedacted()
    {
        JsonNode dump = await DumpAsync(("XDS_HEADER_X-Key", "s3cr3t"), ("AUTH_TOKEN", "t0ken"));

        Assert.Equal("[[\"x-key\",\"(redacted)\"]]", dump["config"]!["xdsHeaders"]!.ToJsonString());
        Assert.DoesNotContain("s3cr3t", dump.ToJsonString(), StringComparison.Ordinal);
        Assert.DoesNotContain("t0ken", dump.ToJsonString(), StringComparison.Ordinal);
    }

    private static JsonNode Recorded() => JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "config_dump-a.json")))!;

    private static async Task<JsonNode> DumpAsync(params (string, string)[] more)
    {
        ZtunnelSettings settings = ZtunnelSettings.Read(
            TestSource.Of(
            [
                ("FAKE_CA", "true"), ("XDS_ADDRESS", ""), ("LOCAL_XDS_PATH", "mesh.yaml"), ("PROXY_MODE", "dedicated"), ("PROXY_WORKLOAD_INFO", "default/a/a"), ("PACKET_MARK", "1337"),
                ("NODE_NAME", "node-a"), ("ISTIO_META_DNS_CAPTURE", "false"), ("UNSTABLE_ENABLE_SOCKS5", "true"), .. more,
            ]),
            "proxy ztunnel");
        var mesh = new MeshStore("node-a");
        await using var file = new LocalFileSource(
            new LocalFileSettings { Text = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Fixtures", "mesh.yaml")) }, mesh, TimeProvider.System, NullLogger.Instance);
        file.Start();
        await using var certificates = new CertificateStore(new NoAuthority(), new CertificateStoreSettings(), TimeProvider.System);
        var dump = new ConfigDump(
        [
            new ValueSection("config", json => ConfigSection.Write(json, settings)),
            .. MeshSections.Create(mesh, certificates, () => file.Current, BuildInfo.Create("unknown")),
        ]);
        var output = new MemoryStream();
        PipeWriter writer = PipeWriter.Create(output);
        await dump.WriteAsync(writer, CancellationToken.None);
        await writer.CompleteAsync();
        return JsonNode.Parse(output.ToArray())!;
    }

    /// <summary>The same with the elements of every array in a fixed order.</summary>
    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonArray array => new JsonArray([.. array.Select(Sorted).OrderBy(static item => item?.ToJsonString(), StringComparer.Ordinal)]),
        JsonObject value => new JsonObject(value.OrderBy(static pair => pair.Key, StringComparer.Ordinal).Select(static pair => KeyValuePair.Create(pair.Key, Sorted(pair.Value)))),
        null => null,
        _ => node.DeepClone(),
    };

    private sealed class NoAuthority : ICertificateAuthority
    {
        public Task<WorkloadCertificate> SignAsync(SpiffeId identity, CancellationToken cancellation) => throw new InvalidOperationException("nobody asks for certificates here");
    }
}
