using Ztunnel.Linux.Buffers;
using Ztunnel.Linux.Sockets;
using Ztunnel.Proxy.Hbone;

namespace Ztunnel.Proxy.Tests.Hbone;

/// <summary>What a batch offers to the streams that write into it.</summary>
public sealed class RecordWriterTests
{
    /// <summary>Uploads were once offered a few bytes less than what makes a stream bulk: all of them took turns of one record, at half the throughput.</summary>
    [Fact]
    public void ReservePayload_ForASmallStream_IsOnePieceAndEnoughToCountAsBulk()
    {
        using var buffers = new BufferPool();
        NativeBuffer buffer = buffers.Rent(256 * 1024);
        var vectors = new IoVectors();
        // Nothing is sealed before something was written: the session is not asked.
        var writer = new RecordWriter(buffer, session: null!);

        int offered = writer.ReservePayload(ref vectors, SendTurns.SmallQuantumBytes);

        Assert.Equal(1, vectors.Count);
        Assert.InRange(offered, SendTurns.BulkBytes, SendTurns.SmallQuantumBytes);
        buffers.Return(buffer);
    }
}
