using Google.Protobuf;
using Ztunnel.InPod.Pods;
using Ztunnel.Linux.Sockets;
using Ztunnel.Protos.Zds;

namespace Ztunnel.InPod.Zds;

/// <summary>
/// What the node agent asks for (control-path 8.2): one protobuf message in one packet, beside an add the descriptor of the pod's network namespace.
/// <code>
/// 0a .. add {1: uid, 2: {1: name, 2: namespace, 3: service account}}   + one descriptor
/// 12 .. delete {2: uid}     1a 00 snapshot sent     2a .. keep {1: uid}
/// </code>
/// </summary>
internal abstract record ZdsRequest
{
    /// <summary>The pod is there; its namespace is the packet's descriptor.</summary>
    public sealed record Add(PodIdentity Pod) : ZdsRequest;

    /// <summary>The pod is there, but the agent has no namespace for it.</summary>
    public sealed record Keep(string Uid) : ZdsRequest;

    /// <summary>The pod is gone.</summary>
    public sealed record Delete(string Uid) : ZdsRequest;

    /// <summary>Whatever was neither added nor kept since the connection began is gone.</summary>
    public sealed record SnapshotSent : ZdsRequest;

    /// <summary>Judges a packet whose descriptors are owned already.</summary>
    /// <exception cref="ZdsReadException">It is not a request.</exception>
    /// <exception cref="ZdsProtocolException">It is one that makes no sense.</exception>
    public static ZdsRequest Read(ReadOnlySpan<byte> bytes, SeqPacketMessage packet)
    {
        if (packet.IsTruncated)
            throw new ZdsReadException($"message of more than {bytes.Length} bytes");
        if (packet.IsControlTruncated)
            throw new ZdsReadException("more descriptors than one message may carry");
        WorkloadRequest request = Parse(bytes);
        if (request.PayloadCase == WorkloadRequest.PayloadOneofCase.Add)
            RequireOneDescriptor(packet);
        else if (request.PayloadCase != WorkloadRequest.PayloadOneofCase.None && (packet.Descriptors.Count > 0 || packet.OtherControlMessages > 0))
            throw new ZdsReadException("Unexpected control message");

        return request.PayloadCase switch
        {
            WorkloadRequest.PayloadOneofCase.Add => ReadAdd(request.Add),
            WorkloadRequest.PayloadOneofCase.Keep => new Keep(request.Keep.Uid),
            WorkloadRequest.PayloadOneofCase.Del => new Delete(request.Del.Uid),
            WorkloadRequest.PayloadOneofCase.SnapshotSent => new SnapshotSent(),
            _ => throw new ZdsReadException("no payload"),
        };
    }

    private static WorkloadRequest Parse(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return WorkloadRequest.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException problem)
        {
            throw new ZdsReadException($"failed to decode Protobuf message: {problem.Message}");
        }
    }

    private static void RequireOneDescriptor(SeqPacketMessage packet)
    {
        if (packet.Descriptors.Count == 0)
            throw new ZdsReadException(packet.OtherControlMessages == 0 ? "No control message" : "Unexpected control message");
        if (packet.Descriptors.Count > 1)
            throw new ZdsReadException($"Expected 1 FD, got {packet.Descriptors.Count}");
    }

    private static Add ReadAdd(AddWorkload add)
    {
        if (add.WorkloadInfo is not { } info)
            throw new ZdsProtocolException("workload_info is required but not present");
        if (add.Uid.Length == 0)
            throw new ZdsProtocolException("uid is required but not present");
        return new Add(new PodIdentity(add.Uid, info.Name, info.Namespace, info.ServiceAccount));
    }
}

/// <summary>A packet that cannot be read as a request.</summary>
internal sealed class ZdsReadException(string message) : Exception(message);

/// <summary>A request that may not come now, or lacks what it needs.</summary>
internal sealed class ZdsProtocolException(string message) : Exception(message);
