using System.Buffers;
using Google.Protobuf;
using Ztunnel.ControlPlane.Grpc;
using Ztunnel.ControlPlane.LocalFile;
using Ztunnel.InPod.Zds;
using Ztunnel.Linux.Sockets;
using Ztunnel.Mesh.State;
using Ztunnel.Protos.Zds;
using Ztunnel.Settings;

namespace Ztunnel.Fuzz.Tests.Targets;

/// <summary>What files, the environment, the gRPC channel and the node agent bring.</summary>
public sealed class ControlTargets
{
    private static readonly string[] Samples = [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Samples"), "*.yaml").Order(StringComparer.Ordinal).Select(File.ReadAllText)];

    [Fact]
    public void LocalFile_Damaged_IsTakenOrRefusedNamingThePlace() => FuzzRun.Cases("local file", 1_500, static input =>
    {
        string text = input.OneIn(10) ? input.Text() : input.Damage(input.Pick(Samples));
        try
        {
            LocalMesh mesh = LocalFileReader.Read(new StringReader(text), "mesh.yaml");
            new MeshStore("node").Replace(new MeshUpdate { Workloads = [.. mesh.Workloads], Services = [.. mesh.Services], Policies = [.. mesh.Policies] });
        }
        catch (LocalFileException refused)
        {
            Assert.StartsWith("mesh.yaml", refused.Message, StringComparison.Ordinal);
        }
    });

    [Fact]
    public void ProxyConfig_Damaged_IsTakenOrRefusedNamingTheVariable() => FuzzRun.Cases("proxy config", 1_500, static input =>
    {
        string config = input.OneIn(10) ? input.Text() : input.Damage("discoveryAddress: istiod.istio-system.svc:15012\nproxyAdminPort: 15000\nconcurrency: 2\nproxyMetadata:\n  CLUSTER_ID: Kubernetes\n  ISTIO_META_X: \"1\"\n");
        var values = new Dictionary<string, string> { ["PROXY_CONFIG"] = config };
        try
        {
            ZtunnelSettings.Read(new SettingsSource { Lookup = name => values.GetValueOrDefault(name), Names = values.Keys, ReadFile = static _ => null, ProcessorCount = 2 });
        }
        catch (SettingsException refused)
        {
            Assert.NotEmpty(refused.Mistakes);
        }
    });

    [Fact]
    public void GrpcStream_OfAnyBytes_YieldsTheSameMessagesHoweverItIsCut() => FuzzRun.Cases("grpc frames", 5_000, static input =>
    {
        const int Limit = 100_000;
        List<byte> stream = [];
        for (int messages = input.Below(5); messages > 0; messages--)
        {
            byte[] message = input.Bytes(300);
            stream.AddRange([0, 0, 0, (byte)(message.Length >> 8), (byte)message.Length, .. message]);
        }

        byte[] bytes = input.OneIn(2) ? [.. stream] : input.Damage([.. stream]);
        (List<string> whole, bool failed) = ReadAll(new ReadOnlySequence<byte>(bytes), Limit);
        List<string> cut = [];
        bool cutFailed = false;
        byte[] held = [];
        foreach (Range piece in input.Pieces(bytes.Length))
        {
            held = [.. held, .. bytes.AsSpan(piece)];
            var buffer = new ReadOnlySequence<byte>(held);
            try
            {
                while (GrpcFrame.TryRead(ref buffer, Limit, out ReadOnlySequence<byte> message, out int wanted))
                {
                    cut.Add(Convert.ToHexString(message.ToArray()));
                    Assert.InRange(wanted, GrpcFrame.PrefixBytes, Limit + GrpcFrame.PrefixBytes);
                }
            }
            catch (GrpcException)
            {
                cutFailed = true;
                break;
            }

            held = buffer.ToArray();
        }

        Assert.Equal(whole, cut);
        Assert.Equal(failed, cutFailed);
    });

    [Fact]
    public void AgentRequest_Damaged_IsReadOrRefusedWithWords() => FuzzRun.Cases("zds request", 5_000, static input =>
    {
        byte[] packet = input.OneIn(4) ? input.Bytes(60) : input.Damage(MessageMaker.Make<WorkloadRequest>(input).ToByteArray());
        using SeqPacketMessage withoutDescriptors = SeqPacketMessage.Broken(default);
        try
        {
            Assert.NotNull(ZdsRequest.Read(packet, withoutDescriptors));
        }
        catch (Exception refused) when (refused is ZdsReadException or ZdsProtocolException)
        {
            Assert.NotEqual("", refused.Message);
        }
    });

    private static (List<string> Messages, bool Failed) ReadAll(ReadOnlySequence<byte> buffer, int limit)
    {
        List<string> messages = [];
        try
        {
            while (GrpcFrame.TryRead(ref buffer, limit, out ReadOnlySequence<byte> message, out _))
                messages.Add(Convert.ToHexString(message.ToArray()));
            return (messages, false);
        }
        catch (GrpcException)
        {
            return (messages, true);
        }
    }
}
