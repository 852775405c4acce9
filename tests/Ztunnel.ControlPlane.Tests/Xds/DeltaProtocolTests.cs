using Google.Protobuf;
using Ztunnel.ControlPlane.Tests.Support;
using Ztunnel.ControlPlane.Xds;
using Ztunnel.Mesh.State;
using Ztunnel.Protos.Discovery;
using Ztunnel.Protos.Security;
using static Ztunnel.ControlPlane.Tests.Xds.Resources;

namespace Ztunnel.ControlPlane.Tests.Xds;

public sealed class DeltaProtocolTests
{
    private readonly MeshStore _store = new();

    [Fact]
    public void Response_PolicyUnderstoodInPart_IsInForceAndReported()
    {
        DeltaProtocol protocol = Open();

        DeltaOutcome outcome = protocol.OnResponse(Policies(Policy("p", new Match { DestinationPorts = { 80, 70000 } })));

        Assert.Equal("shop/p: destination_ports: port 70000 is out of range", outcome.Answers.Single().ErrorDetail.Message);
        Assert.NotNull(_store.Current.FindPolicy("shop/p"));
        Assert.Contains("shop/p", protocol.OpenStream()[1].InitialResourceVersions.Keys);
    }

    [Fact]
    public void Response_RejectsOfEveryKind_AreNamed()
    {
        DeltaOutcome outcome = Open().OnResponse(Addresses(
            new Resource { Name = "none" },
            new Resource { Name = "garbage", Resource_ = new() { Value = ByteString.CopyFrom(0xff, 0xff) } },
            new Resource { Name = "neither", Resource_ = new() },
            Workload("good")));

        string[] reasons = outcome.Answers.Single().ErrorDetail.Message.Split("; ");
        Assert.Equal("none: XDS payload without resource", reasons[0]);
        Assert.StartsWith("garbage: decode error: ", reasons[1]);
        Assert.Equal("neither: unknown address type", reasons[2]);
        Assert.NotNull(_store.Current.FindWorkloadByUid("good"));
    }

    /// <summary>Found by fuzzing: the library says this of a wrapper that is cut off with another exception than of everything else.</summary>
    [Fact]
    public void Response_WrapperCutOff_IsADecodeError()
    {
        byte[] capacity = [0xDA, 1, 1]; // field 27, one byte, which is not there
        var cut = new Resource { Name = "cut", Resource_ = new() { Value = ByteString.CopyFrom([10, (byte)capacity.Length, .. capacity]) } };

        DeltaOutcome outcome = Open().OnResponse(Addresses(cut, Workload("good")));

        Assert.StartsWith("cut: decode error: ", Assert.Single(outcome.Rejects), StringComparison.Ordinal);
        Assert.NotNull(_store.Current.FindWorkloadByUid("good"));
    }

    [Fact]
    public void Response_ManyRejects_MakeAShortNack()
    {
        DeltaOutcome outcome = Open().OnResponse(Addresses([.. Enumerable.Range(0, 5000).Select(static i => BadWorkload($"w{i}"))]));

        Assert.EndsWith("; and 4900 more", outcome.Answers.Single().ErrorDetail.Message);
        Assert.Equal(5000, outcome.Rejects.Count);
    }

    [Fact]
    public void Response_SetAndRemovedAtOnce_IsRemoved()
    {
        DeltaProtocol protocol = Open();
        DeltaDiscoveryResponse response = Addresses(Workload("a"));
        response.RemovedResources.Add("a");

        protocol.OnResponse(response);

        Assert.Null(_store.Current.FindWorkloadByUid("a"));
        Assert.Empty(protocol.OpenStream()[0].InitialResourceVersions);
    }

    [Fact]
    public void Response_AddressPassedOn_EndsWithTheNewOwner()
    {
        DeltaProtocol protocol = Open();
        protocol.OnResponse(Addresses(Workload("old", "10.0.0.1")));
        DeltaDiscoveryResponse response = Addresses(Workload("new", "10.0.0.1"));
        response.RemovedResources.Add("old");

        protocol.OnResponse(response);

        Assert.Equal("new", _store.Current.FindWorkload("", System.Net.IPAddress.Parse("10.0.0.1"))!.Uid);
    }

    [Fact]
    public void Stream_NamesBeyondTheRequestLimit_AreNotSentAndTheAnswerIsTheTruth()
    {
        const int Count = 20_000;
        DeltaProtocol protocol = Open();
        string longName = new('n', 180);
        protocol.OnResponse(Addresses([.. Enumerable.Range(0, Count).Select(i => Workload($"{longName}{i}", $"10.0.{i / 256}.{i % 256}", "0123456789abcdef"))]));

        DeltaDiscoveryRequest address = protocol.OpenStream()[0];
        Assert.Empty(address.InitialResourceVersions);
        protocol.OnResponse(Addresses(Workload($"{longName}7", "10.0.0.7", "0123456789abcdef"), BadWorkload($"{longName}8")));

        // What is named stays, also when it is refused; what is not named is gone.
        Assert.Equal([$"{longName}7", $"{longName}8"], _store.Current.Workloads.Select(static w => w.Uid).Order(StringComparer.Ordinal));
        Assert.Equal(2, protocol.OpenStream()[0].InitialResourceVersions.Count);
    }

    [Fact]
    public void Stream_TenThousandNames_StayBelowTheServersLimit()
    {
        DeltaProtocol protocol = Open();
        protocol.OnResponse(Addresses([.. Enumerable.Range(0, 40_000).Select(static i => Workload($"Kubernetes//Pod/namespace/deployment-5d4f8c7b9-{i:x5}", "10.0.0.1", "0123456789abcdef"))]));

        DeltaDiscoveryRequest request = protocol.OpenStream()[0];

        Assert.Equal(40_000, request.InitialResourceVersions.Count);
        Assert.InRange(request.CalculateSize(), 1, 4 * 1024 * 1024);
    }

    [Fact]
    public void OnDemand_NamesBeyondTheRequestLimit_AreSubscribedInBatches()
    {
        const int Count = 20_000;
        DeltaProtocol protocol = new(new XdsNodeSettings(), onDemand: true, _store);
        protocol.OpenStream();
        string longName = new('n', 200);
        protocol.OnResponse(Addresses([.. Enumerable.Range(0, Count).Select(i => Workload($"{longName}{i}", "10.0.0.1", "v"))]));

        IReadOnlyList<DeltaDiscoveryRequest> requests = protocol.OpenStream();

        Assert.Empty(requests[0].InitialResourceVersions);
        Assert.Equal(AuthorizationUrl, requests[1].TypeUrl);
        DeltaDiscoveryRequest[] batches = [.. requests.Skip(2)];
        Assert.Equal(Count, batches.SelectMany(static batch => batch.ResourceNamesSubscribe).Distinct().Count());
        Assert.All(batches, static batch => Assert.InRange(batch.CalculateSize(), 1, 2 * 1024 * 1024));
    }

    [Fact]
    public void Response_BytesOfARealOneChangedAtRandom_NeverFailsAndAnswersWithItsNonce()
    {
        byte[][] originals = [.. new[] { "01-initial-wildcard/004-xds-response-address", "01-initial-wildcard/005-xds-response-authorization", "30-multi-network-initial/004-xds-response-address" }
            .Select(static path => Fixture.Bytes($"xds/{path}.binpb"))];
        Random random = new(20260801);
        DeltaProtocol protocol = Open();
        int applied = 0;
        for (int round = 0; round < 3000; round++)
        {
            byte[] bytes = [.. originals[random.Next(originals.Length)]];
            for (int i = random.Next(1, 20); i > 0; i--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            DeltaDiscoveryResponse response;
            try
            {
                response = DeltaDiscoveryResponse.Parser.ParseFrom(bytes);
            }
            catch (InvalidProtocolBufferException)
            {
                continue;   // the channel ends the stream on these
            }
            Assert.Equal(response.Nonce, protocol.OnResponse(response).Answers[0].ResponseNonce);
            applied++;
        }
        Assert.InRange(applied, 500, 3000);
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.5)]
    [InlineData(1.0)]
    public void Backoff_Failures_DoubleToFifteenSecondsAndStartAnewWhenItWorks(double jitter)
    {
        XdsBackoff backoff = new();
        double[] waits = [.. Enumerable.Range(0, 10).Select(_ => backoff.Next(jitter).TotalMilliseconds)];
        double[] limits = [100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000];

        Assert.Equal(limits.Select(limit => Math.Max(10, limit * jitter)), waits);
        backoff.OnApplied();
        Assert.Equal(Math.Max(10, 100 * jitter), backoff.Next(jitter).TotalMilliseconds);
    }

    [Fact]
    public void Node_Metadata_LaterSourcesWin()
    {
        using System.Text.Json.JsonDocument json = System.Text.Json.JsonDocument.Parse("""{"a": [1, true, null, {"b": "c"}]}""");
        Node node = new XdsNodeSettings
        {
            PodName = "p",
            Metadata = [new("NAME", "other"), new("X", "1")],
            JsonMetadata = [new("X", json.RootElement)],
        }.ToNode();

        Assert.Equal("ztunnel~1.1.1.1~p.~.svc.cluster.local", node.Id);
        Assert.Equal("other", node.Metadata.Fields["NAME"].StringValue);
        Assert.Equal("""{ "a": [ 1, true, null, { "b": "c" } ] }""", node.Metadata.Fields["X"].StructValue.ToString());
    }

    private DeltaProtocol Open()
    {
        DeltaProtocol protocol = new(new XdsNodeSettings(), onDemand: false, _store);
        protocol.OpenStream();
        return protocol;
    }
}
