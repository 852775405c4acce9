using System.Buffers;
using System.IO.Pipelines;
using Google.Protobuf;

namespace Ztunnel.ControlPlane.Grpc;

/// <summary>Reads the messages of an answer, one after the other.</summary>
internal sealed class GrpcMessageReader<T>(Stream body, MessageParser<T> parser, int maxMessageBytes)
    where T : class, IMessage<T>
{
    // A first push of a large mesh is one message of tens of MiB: few large pieces are cheaper than many small ones.
    private const int SegmentBytes = 64 * 1024;

    private readonly PipeReader _pipe = PipeReader.Create(body, new StreamPipeReaderOptions(bufferSize: SegmentBytes, minimumReadSize: SegmentBytes / 4));

    /// <summary>The next message; null at the end of the body.</summary>
    /// <exception cref="GrpcException">The body ends within a message, or a message is not what it should be.</exception>
    public async ValueTask<T?> ReadAsync(CancellationToken cancellation)
    {
        int wantedBytes = GrpcFrame.PrefixBytes;
        while (true)
        {
            ReadResult read = await _pipe.ReadAtLeastAsync(wantedBytes, cancellation);
            ReadOnlySequence<byte> buffer = read.Buffer;
            if (GrpcFrame.TryRead(ref buffer, maxMessageBytes, out ReadOnlySequence<byte> payload, out wantedBytes))
            {
                T message = Parse(payload);
                _pipe.AdvanceTo(buffer.Start);
                return message;
            }
            if (read.IsCompleted && wantedBytes > read.Buffer.Length)
            {
                bool atBoundary = read.Buffer.IsEmpty;
                _pipe.AdvanceTo(read.Buffer.End);
                return atBoundary ? null : throw new GrpcException(GrpcStatusCode.Internal, "the answer ends within a message");
            }
            _pipe.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private T Parse(ReadOnlySequence<byte> payload)
    {
        try
        {
            return parser.ParseFrom(payload);
        }
        catch (InvalidProtocolBufferException error)
        {
            throw new GrpcException(GrpcStatusCode.Internal, $"a message that cannot be decoded: {error.Message}", error);
        }
    }
}
