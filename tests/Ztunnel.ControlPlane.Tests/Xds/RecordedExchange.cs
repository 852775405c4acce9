using System.Globalization;
using Ztunnel.ControlPlane.Tests.Support;
using Ztunnel.ControlPlane.Xds;
using Ztunnel.Mesh.State;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.ControlPlane.Tests.Xds;

/// <summary>Steps recorded between the original and a real istiod, played to our protocol: responses go in, and what comes out is held against what the original sent.</summary>
internal sealed class RecordedExchange
{
    private readonly Queue<(string Recorded, DeltaDiscoveryRequest Request)> _expected = new();

    public RecordedExchange(bool onDemand)
    {
        XdsNodeSettings node = new()
        {
            InstanceIp = "10.10.1.2",
            PodName = "ztunnel-a",
            PodNamespace = "istio-system",
            NodeName = "node-a",
            Metadata = [new("CLUSTER_ID", "Kubernetes"), new("ISTIO_VERSION", "1.31.0"), new("ENABLE_HBONE", "true"), .. onDemand ? [new KeyValuePair<string, string>("DNS_CAPTURE", "false")] : Array.Empty<KeyValuePair<string, string>>()],
        };
        Protocol = new DeltaProtocol(node, onDemand, Store);
    }

    public MeshStore Store { get; } = new("node-a");

    public DeltaProtocol Protocol { get; }

    /// <summary>Plays all events of a folder whose requests are answers or openings. Each of ours must equal the recorded one.</summary>
    public void Play(string folder)
    {
        List<DeltaDiscoveryRequest> ours = [];
        foreach (string path in Directory.GetFiles(Fixture.PathOf($"xds/{folder}"), "*-xds-*.binpb").Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileNameWithoutExtension(path)[4..];
            if (name.StartsWith("xds-response", StringComparison.Ordinal))
            {
                ours.AddRange(Protocol.OnResponse(DeltaDiscoveryResponse.Parser.ParseFrom(File.ReadAllBytes(path))).Answers);
                continue;
            }
            if (name.EndsWith("address-initial", StringComparison.Ordinal)) ours.AddRange(Protocol.OpenStream());
            _expected.Enqueue((path, DeltaDiscoveryRequest.Parser.ParseFrom(File.ReadAllBytes(path))));
        }
        foreach (DeltaDiscoveryRequest request in ours)
        {
            (string recorded, DeltaDiscoveryRequest expected) = _expected.Dequeue();
            // The original leaves the code of a NACK at 0, which means OK; ours says INVALID_ARGUMENT.
            if (expected.ErrorDetail is not null) expected.ErrorDetail.Code = 3;
            Assert.True(expected.Equals(request), $"{recorded}:\nrecorded {expected}\nours     {request}");
        }
        Assert.Empty(_expected);
    }

    public static DeltaDiscoveryResponse Response(string path) => DeltaDiscoveryResponse.Parser.ParseFrom(Fixture.Bytes($"xds/{path}.binpb"));

    public static DeltaDiscoveryRequest Request(string path) => DeltaDiscoveryRequest.Parser.ParseFrom(Fixture.Bytes($"xds/{path}.binpb"));

    public static string Step(int number) => Path.GetFileName(Directory.GetDirectories(Fixture.PathOf("xds"), $"{number.ToString("00", CultureInfo.InvariantCulture)}-*").Single());
}
