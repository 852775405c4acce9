using System.Diagnostics;
using System.Numerics;

namespace Ztunnel.Linux.Buffers;

/// <summary>
/// Native buffers of ten sizes, 1 KiB to 512 KiB, for one loop and its thread only. Rent when bytes are there, return when they are gone: an idle connection owns none.
/// What two <see cref="Trim"/> calls in a row find unused goes back to the kernel; the loop calls it while there is something to give back.
/// </summary>
public sealed class BufferPool : IDisposable
{
    public const int SmallestBytes = 1024;
    public const int LargestBytes = 512 * 1024;

    private const int SmallestBits = 10;
    private const byte ReturnedPattern = 0xDD;

    private readonly BufferSizeClass[] _classes;
    private int _ownerThread;

    public BufferPool()
    {
        _classes = new BufferSizeClass[BitOperations.Log2(LargestBytes) - SmallestBits + 1];
        for (int index = 0; index < _classes.Length; index++)
        {
            _classes[index] = new BufferSizeClass(SmallestBytes << index);
        }
    }

    /// <summary>Bytes of all buffers that are rented now. May be read by any thread.</summary>
    public long RentedBytes { get; private set; }

    /// <summary>Address space held, touched or not.</summary>
    public long MappedBytes
    {
        get
        {
            long bytes = 0;
            foreach (BufferSizeClass sizeClass in _classes)
            {
                bytes += sizeClass.MappedBytes;
            }

            return bytes;
        }
    }

    /// <summary>True once buffers were returned that a <see cref="Trim"/> has not yet looked at twice.</summary>
    internal bool NeedsTrim { get; private set; }

    public NativeBuffer Rent(int minimumBytes)
    {
        AssertOwner();
        ArgumentOutOfRangeException.ThrowIfNegative(minimumBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minimumBytes, LargestBytes);
        NativeBuffer buffer = _classes[ClassOf(minimumBytes)].Take();
        buffer.IsRented = true;
        RentedBytes += buffer.Length;
        return buffer;
    }

    /// <summary>A buffer that is returned twice would be owned by two connections: that is checked in every build, since it would show one pod another's bytes.</summary>
    public void Return(NativeBuffer buffer)
    {
        AssertOwner();
        ArgumentNullException.ThrowIfNull(buffer);
        if (!buffer.IsRented)
        {
            throw new InvalidOperationException($"a buffer of {buffer.Length} bytes was returned twice");
        }

        BufferSizeClass sizeClass = _classes[ClassOf(buffer.Length)];
        if (buffer.Slab?.Owner != sizeClass)
        {
            throw new InvalidOperationException($"a buffer of {buffer.Length} bytes was returned to a pool that does not own it");
        }

        Scribble(buffer);
        buffer.IsRented = false;
        RentedBytes -= buffer.Length;
        NeedsTrim = true;
        sizeClass.Put(buffer);
    }

    public void Trim()
    {
        AssertOwner();
        bool warmRemain = false;
        foreach (BufferSizeClass sizeClass in _classes)
        {
            warmRemain |= sizeClass.Trim();
        }

        NeedsTrim = warmRemain;
    }

    /// <summary>Unmaps everything, rented buffers too: only when nothing can touch them any more.</summary>
    public void Dispose()
    {
        foreach (BufferSizeClass sizeClass in _classes)
        {
            sizeClass.ReleaseAll();
        }
    }

    private static int ClassOf(int bytes) => bytes <= SmallestBytes ? 0 : BitOperations.Log2((uint)bytes - 1) + 1 - SmallestBits;

    // A use after return then reads nonsense in every test, instead of bytes that happen to be still right.
    [Conditional("DEBUG")]
    private static void Scribble(NativeBuffer buffer) => buffer.Span.Fill(ReturnedPattern);

    [Conditional("DEBUG")]
    private void AssertOwner()
    {
        int thread = Environment.CurrentManagedThreadId;
        int owner = Interlocked.CompareExchange(ref _ownerThread, thread, 0);
        Debug.Assert(owner == 0 || owner == thread, "a buffer pool is used by its loop's thread only");
    }
}
