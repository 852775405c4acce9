using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;

namespace Ztunnel.ControlPlane.Grpc;

/// <summary>A message on a gRPC stream.</summary>
/// <remarks>
/// <code>
/// +------------+----------------------+---------------------+
/// | flag (1)   | length (4, big end.) | message (length)    |
/// +------------+----------------------+---------------------+
///   0 plain, 1 compressed
/// </code>
/// </remarks>
internal static class GrpcFrame
{
    public const int PrefixBytes = 5;

    /// <summary>Takes the next message from the front of the buffer. False: it is not complete yet, and <paramref name="wantedBytes"/> says how much it needs.</summary>
    /// <exception cref="GrpcException">The message is compressed, though nobody asked for it, or longer than allowed.</exception>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, int maxMessageBytes, out ReadOnlySequence<byte> message, out int wantedBytes)
    {
        message = default;
        wantedBytes = PrefixBytes;
        if (buffer.Length < PrefixBytes) return false;

        Span<byte> prefix = stackalloc byte[PrefixBytes];
        buffer.Slice(0, PrefixBytes).CopyTo(prefix);
        if (prefix[0] != 0) throw new GrpcException(GrpcStatusCode.Unimplemented, $"a message with flag {prefix[0]}: compression was not agreed on");

        uint length = BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]);
        if (length > maxMessageBytes) throw new GrpcException(GrpcStatusCode.OutOfRange, $"a message of {length} bytes, limit {maxMessageBytes}");

        wantedBytes = PrefixBytes + (int)length;
        if (buffer.Length < wantedBytes) return false;

        message = buffer.Slice(PrefixBytes, length);
        buffer = buffer.Slice(message.End);
        return true;
    }

    /// <summary>Writes prefix and message; returns the bytes of both.</summary>
    public static int Write(IMessage message, int messageBytes, Span<byte> destination)
    {
        destination[0] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(destination[1..], (uint)messageBytes);
        message.WriteTo(destination.Slice(PrefixBytes, messageBytes));
        return PrefixBytes + messageBytes;
    }
}
