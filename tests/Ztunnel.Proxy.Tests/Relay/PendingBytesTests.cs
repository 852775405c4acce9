using Ztunnel.Linux.Buffers;
using Ztunnel.Proxy.Relay;

namespace Ztunnel.Proxy.Tests.Relay;

public sealed class PendingBytesTests
{
    [Fact]
    public void AppendAndConsume_InAnyPieces_KeepsTheOrder()
    {
        using var pool = new BufferPool();
        var pending = new PendingBytes(pool);
        var model = new Queue<byte>();
        var random = new Random(1);
        for (int step = 0; step < 5_000; step++)
        {
            if (random.Next(2) == 0)
            {
                byte[] bytes = new byte[random.Next(1, 20_000)];
                random.NextBytes(bytes);
                pending.Append(bytes);
                foreach (byte value in bytes)
                    model.Enqueue(value);
            }
            else if (!pending.IsEmpty)
            {
                byte[] front = pending.Front.ToArray();
                int consumed = random.Next(1, front.Length + 1);
                for (int index = 0; index < consumed; index++)
                    Assert.Equal(model.Dequeue(), front[index]);
                pending.Consume(consumed);
            }

            Assert.Equal(model.Count, pending.Length);
        }

        pending.Clear();
        Assert.Equal(0, pool.RentedBytes);
    }

    [Fact]
    public void Consume_AcrossChunks_GivesTheirMemoryBack()
    {
        using var pool = new BufferPool();
        var pending = new PendingBytes(pool);
        pending.Append(new byte[300_000]);
        Assert.True(pool.RentedBytes >= 300_000);

        pending.Consume(300_000);

        Assert.Equal(0, pool.RentedBytes);
        Assert.True(pending.IsEmpty);
    }
}
