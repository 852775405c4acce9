using System.IO.Pipelines;
using System.Text.Json.Nodes;
using Ztunnel.Http.Dump;
using Ztunnel.Istiod;
using Ztunnel.Istiod.Ads;
using Ztunnel.Protos.Discovery;
using Ztunnel.Proxy.OnDemand;

namespace Ztunnel.Tests.Control;

/// <summary>The daemon's control-plane half in the environment of the recordings, and a stand-in that says what the real istiod was recorded to say.</summary>
internal sealed class RecordedSession : IAsyncDisposable
{
    private readonly ControlRig _rig = new();
    private readonly RecordedState _state = new();
    private IstiodServer? _istiod;
    private XdsPeer? _peer;

    public ControlRig Rig => _rig;

    /// <summary>What the original's dump is after what was played so far.</summary>
    public JsonObject OriginalDump => _state.ToDump();

    /// <summary>The look-up that the data path makes before it decides.</summary>
    public OnDemandMesh OnDemand => new(_rig.Mesh, Composition.Routing(_rig.Settings), _rig.Sources.AddressFetcher!);

    public static string PathOf(params string[] parts) => Path.Combine([AppContext.BaseDirectory, "Fixtures", "xds", .. parts]);

    public static async Task<JsonObject> ReadDumpAsync(string folder) => JsonNode.Parse(await File.ReadAllTextAsync(PathOf(folder, "config_dump.json")))!.AsObject();

    public static IEnumerable<string> Messages(string folder, string kind) => Directory.GetFiles(PathOf(folder), $"*-{kind}*.binpb").Order(StringComparer.Ordinal);

    /// <summary>Starts, and takes the stream that the daemon opens.</summary>
    public static async Task<RecordedSession> StartAsync(string network = "", bool onDemand = false)
    {
        RecordedSession session = new();
        foreach ((string name, string value) in ((string, string)[])
            [
                // The environment of the recording; the token and the addresses are the rig's.
                ("ISTIO_META_CLUSTER_ID", "Kubernetes"), ("ISTIO_META_ISTIO_VERSION", "1.31.0"), ("ISTIO_META_ENABLE_HBONE", "true"), ("POD_NAME", "ztunnel-a"), ("POD_NAMESPACE", "istio-system"),
                ("SERVICE_ACCOUNT", "ztunnel"), ("NODE_NAME", "node-a"), ("INSTANCE_IP", "10.10.1.2"), ("NETWORK", network),
            ])
        {
            session._rig.With(name, value);
        }

        if (onDemand)
            session._rig.With("XDS_ON_DEMAND", "true").With("ISTIO_META_DNS_CAPTURE", "false");
        else
            session._rig.Without("ISTIO_META_DNS_CAPTURE");
        session._istiod = await session._rig.StartByHandAsync();
        session._rig.Start();
        session._peer = await session._istiod.AcceptAsync();
        return session;
    }

    public async Task ReconnectAsync()
    {
        _peer!.Abort();
        _peer = await _istiod!.AcceptAsync();
    }

    /// <summary>Sends what istiod sent and takes what the original said, in the recorded order; everything of ours must equal it.</summary>
    /// <param name="folder">The step.</param>
    /// <param name="differ">Changes what was recorded into what ours says on purpose; false for what ours does not say.</param>
    public async Task PlayAsync(string folder, Func<string, DeltaDiscoveryRequest, bool>? differ = null)
    {
        foreach (string path in Messages(folder, "xds-"))
        {
            byte[] message = await File.ReadAllBytesAsync(path);
            string name = Path.GetFileNameWithoutExtension(path);
            if (name.Contains("xds-response", StringComparison.Ordinal))
            {
                await SendAsync(DeltaDiscoveryResponse.Parser.ParseFrom(message));
                continue;
            }

            DeltaDiscoveryRequest expected = DeltaDiscoveryRequest.Parser.ParseFrom(message);
            // Difference: the original leaves the code of a NACK at 0, which means OK (W-33).
            if (expected.ErrorDetail is not null)
                expected.ErrorDetail.Code = 3;
            if (differ is null || differ(name, expected))
                await ExpectAsync(path, expected);
        }
    }

    public async Task SendAsync(DeltaDiscoveryResponse response)
    {
        _state.Apply(response);
        await _peer!.SendAsync(response);
    }

    public async Task ExpectAsync(string what, DeltaDiscoveryRequest expected)
    {
        DeltaDiscoveryRequest actual = await _peer!.ReceiveAsync();
        Assert.True(expected.Equals(actual), $"{what}:\nrecorded {expected}\nours     {actual}");
    }

    /// <summary>Our dump of now.</summary>
    public async Task<JsonObject> DumpAsync()
    {
        var output = new MemoryStream();
        PipeWriter writer = PipeWriter.Create(output);
        await new ConfigDump(MeshSections.Create(_rig.Mesh, _rig.Certificates, () => _rig.Sources.LocalFile, BuildInfo.Create("1.31.0"))).WriteAsync(writer, CancellationToken.None);
        await writer.CompleteAsync();
        return JsonNode.Parse(output.ToArray())!.AsObject();
    }

    public async ValueTask DisposeAsync()
    {
        await _rig.DisposeAsync();
        if (_istiod is not null)
            await _istiod.DisposeAsync();
    }
}
