using Ztunnel.Linux.Buffers;

namespace Ztunnel.Linux.Tests.Buffers;

public class BufferPoolTests
{
    [Theory]
    [InlineData(0, 1024)]
    [InlineData(1, 1024)]
    [InlineData(1024, 1024)]
    [InlineData(1025, 2048)]
    [InlineData(16_384, 16_384)]
    [InlineData(16_385, 32_768)]
    [InlineData(512 * 1024, 512 * 1024)]
    public void Rent_AnySize_GivesTheNextPowerOfTwo(int asked, int given)
    {
        using var pool = new BufferPool();

        NativeBuffer buffer = pool.Rent(asked);

        Assert.Equal(given, buffer.Length);
        Assert.Equal(given, buffer.Span.Length);
        Assert.Equal(given, pool.RentedBytes);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData((512 * 1024) + 1)]
    public void Rent_ImpossibleSize_Throws(int asked)
    {
        using var pool = new BufferPool();

        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Rent(asked));
    }

    [Fact]
    public void Return_Twice_ThrowsInEveryBuild()
    {
        using var pool = new BufferPool();
        NativeBuffer buffer = pool.Rent(100);
        pool.Return(buffer);

        Assert.Throws<InvalidOperationException>(() => pool.Return(buffer));

        Assert.Equal(0, pool.RentedBytes);
    }

    [Fact]
    public void Return_ToAnotherPool_Throws()
    {
        using var first = new BufferPool();
        using var second = new BufferPool();
        NativeBuffer buffer = first.Rent(100);

        Assert.Throws<InvalidOperationException>(() => second.Return(buffer));
    }

    [Fact]
    public void Rent_ManyAtOnce_NoTwoOverlap()
    {
        using var pool = new BufferPool();
        var random = new Random(7);
        NativeBuffer[] buffers = [.. Enumerable.Range(0, 500).Select(_ => pool.Rent(random.Next(1, 20_000)))];

        for (int index = 0; index < buffers.Length; index++)
        {
            buffers[index].Span.Fill((byte)index);
        }

        for (int index = 0; index < buffers.Length; index++)
        {
            Assert.Equal(-1, buffers[index].Span.IndexOfAnyExcept((byte)index));
        }
    }

    [Fact]
    public void RentAndReturn_Repeatedly_AllocatesAndMapsNothing()
    {
        using var pool = new BufferPool();
        pool.Return(pool.Rent(64 * 1024));
        long mapped = pool.MappedBytes;
        long before = GC.GetAllocatedBytesForCurrentThread();

        for (int round = 0; round < 1000; round++)
        {
            pool.Return(pool.Rent(64 * 1024));
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(mapped, pool.MappedBytes);
    }

    [Fact]
    public void Trim_UnusedForAWholeInterval_GivesEverythingBack()
    {
        using var pool = new BufferPool();
        foreach (NativeBuffer buffer in Enumerable.Range(0, 300).Select(index => pool.Rent(1 << (10 + (index % 10)))).ToList())
        {
            pool.Return(buffer);
        }

        pool.Trim();
        Assert.True(pool.NeedsTrim);
        Assert.NotEqual(0, pool.MappedBytes);
        pool.Trim();

        Assert.Equal(0, pool.MappedBytes);
        Assert.False(pool.NeedsTrim);
    }

    [Fact]
    public void Trim_BuffersStillRented_KeepTheirBytes()
    {
        using var pool = new BufferPool();
        NativeBuffer kept = pool.Rent(8192);
        List<NativeBuffer> others = [.. Enumerable.Range(0, 100).Select(_ => pool.Rent(8192))];
        kept.Span.Fill(0x5A);
        others.ForEach(pool.Return);

        pool.Trim();
        pool.Trim();

        Assert.Equal(-1, kept.Span.IndexOfAnyExcept((byte)0x5A));
        Assert.Equal(8192, pool.RentedBytes);
        pool.Return(kept);
        Assert.Equal(kept.Length, pool.Rent(8192).Length);
    }

    [Fact]
    public void Trim_OfWhatIsInUse_KeepsAsManyAsWereNeeded()
    {
        using var pool = new BufferPool();
        List<NativeBuffer> burst = [.. Enumerable.Range(0, 64).Select(_ => pool.Rent(64 * 1024))];
        burst.ForEach(pool.Return);
        pool.Trim();
        List<NativeBuffer> few = [.. Enumerable.Range(0, 4).Select(_ => pool.Rent(64 * 1024))];
        few.ForEach(pool.Return);

        pool.Trim();
        long mapped = pool.MappedBytes;

        Assert.InRange(mapped, 4 * 64 * 1024, 16 * 64 * 1024);
    }
}
